/**
 * What threads say to each other about themselves. Every thread has a caretaker in slot 0 that
 * understands this protocol; some messages are for the guardian's caretaker, some for all others'.
 */
import { defineProtocol } from './protocol.ts';

export const kernelProtocol = defineProtocol('kernel', {
  /** Guardian to a thread: finish what waits in your lanes, stop your actor, end. */
  stop: { lane: 'control', request: { properties: { deadlineMs: { type: 'float64' } } } },
  /** Guardian to a thread: a link to another thread lies in your port. */
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
  /** A thread to the guardian: my actor is up. */
  started: { lane: 'control', request: { properties: { incarnation: { type: 'int32' } } } },
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
