/**
 * What threads say to each other about themselves. Every thread has a caretaker in slot 0 that
 * understands this protocol; some messages are for the guardian's caretaker, some for all others'.
 */
import { defineProtocol } from './protocol.ts';

export const kernelProtocol = defineProtocol('kernel', {
  /** Guardian to a thread: finish what waits in your lanes, stop your actor, end. */
  stop: { lane: 'control', request: { properties: { deadlineMs: { type: 'float64' } } } },
  /** Guardian to a thread: a link to another thread, or a port for administrative calls, lies in your port. */
  linkReady: { lane: 'control', request: { properties: {} } },
  /** Guardian to a thread's peers: it has ended, and this is how far it had read your lanes. */
  peerDown: {
    lane: 'control',
    request: {
      properties: {
        /** Address of the actor whose thread it was. */
        actor: { type: 'uint32' },
        /** Whether it will not be started again. */
        final: { type: 'boolean' },
        /** Whether it ended in order; else it failed. */
        hasStopped: { type: 'boolean' },
        controlConsumed: { type: 'uint32' },
        dataConsumed: { type: 'uint32' },
      },
    },
  },
  /** A thread to the guardian: find the actor of this name and link us. */
  resolve: {
    lane: 'control',
    request: { properties: { name: { type: 'string' } } },
    reply: { properties: { address: { type: 'uint32' } } },
  },
  /** A thread to the guardian: link me to the thread of this address. */
  connect: { lane: 'control', request: { properties: { to: { type: 'uint32' } } } },
  /** The guardian's answer to that where there is nobody. */
  unreachable: { lane: 'control', request: { properties: { to: { type: 'uint32' } } } },
  /** Between threads: tell me, under this number, when that actor of yours has ended. */
  watch: { lane: 'control', request: { properties: { target: { type: 'uint32' }, id: { type: 'uint32' } } } },
  unwatch: { lane: 'control', request: { properties: { target: { type: 'uint32' }, id: { type: 'uint32' } } } },
  /** Between threads: the actor that you watch under this number has ended. */
  terminated: {
    lane: 'control',
    request: {
      properties: {
        id: { type: 'uint32' },
        address: { type: 'uint32' },
        reason: { enum: ['stopped', 'crashed', 'unknown'] },
        message: { type: 'string' },
      },
    },
  },
  /** Between threads: an actor of mine and one of yours fail together. */
  link: { lane: 'control', request: { properties: { from: { type: 'uint32' }, to: { type: 'uint32' } } } },
  /** Between threads: the cancel scope of messages that I have sent you was cancelled. */
  fence: { lane: 'control', request: { properties: { scope: { type: 'uint32' } } } },
  /** A thread to the guardian: this actor of mine is known by this name from now on. */
  register: {
    lane: 'control',
    request: { properties: { name: { type: 'string' }, address: { type: 'uint32' } } },
    reply: { properties: {} },
  },
  /** A thread to the guardian: who is in this group? It is told of changes from then on. */
  followGroup: {
    lane: 'control',
    request: { properties: { group: { type: 'string' } } },
    reply: { properties: { version: { type: 'uint32' }, members: { elements: { type: 'uint32' } } } },
  },
  joinGroup: {
    lane: 'control',
    request: { properties: { group: { type: 'string' }, address: { type: 'uint32' } } },
    reply: { properties: {} },
  },
  leaveGroup: {
    lane: 'control',
    request: { properties: { group: { type: 'string' }, address: { type: 'uint32' } } },
    reply: { properties: {} },
  },
  /** The guardian to the threads that follow a group: these are its members now. */
  groupChanged: {
    lane: 'control',
    request: { properties: { group: { type: 'string' }, version: { type: 'uint32' }, members: { elements: { type: 'uint32' } } } },
  },
  /** A thread to the guardian: I want to be told of dead letters, or no longer. */
  followDeadLetters: { lane: 'control', request: { properties: { follow: { type: 'boolean' } } }, reply: { properties: {} } },
  /** Any thread to the guardian, who tells those that follow: a message was not handled. */
  deadLetter: {
    lane: 'telemetry',
    request: {
      properties: {
        to: { type: 'uint32' },
        from: { type: 'uint32' },
        actor: { type: 'string' },
        protocol: { type: 'string' },
        message: { type: 'string' },
        reason: { type: 'string' },
        timeMs: { type: 'float64' },
      },
    },
  },
  /** The application to the guardian: the port of this number is for administrative calls to the thread of this actor. */
  openAdmin: { lane: 'control', request: { properties: { name: { type: 'string' }, id: { type: 'uint32' } } }, reply: { properties: {} } },
  /** A thread to the guardian: my actor is up. */
  started: {
    lane: 'control',
    request: {
      properties: {
        incarnation: { type: 'int32' },
        /** It had nothing to do and leaves at once. */
        isIgnored: { type: 'boolean' },
      },
      optionalProperties: { info: {} },
    },
  },
  /** A thread to the guardian: my actor ends by itself, and not because its work is done. */
  shutsDown: { lane: 'control', request: { properties: { incarnation: { type: 'int32' } } } },
  /** A thread to the guardian: my actor failed, in its start or later; I am about to end. */
  crashed: {
    lane: 'control',
    request: {
      properties: {
        incarnation: { type: 'int32' },
        whileStarting: { type: 'boolean' },
        code: { type: 'string' },
        message: { type: 'string' },
        stack: { type: 'string' },
      },
    },
  },
  /** Any thread to the guardian: one line for the log. */
  log: {
    lane: 'telemetry',
    request: {
      properties: {
        level: { type: 'uint8' },
        timeMs: { type: 'float64' },
        actor: { type: 'string' },
        message: { type: 'string' },
        fields: {},
      },
    },
  },
});

export type KernelSpec = typeof kernelProtocol.spec;
