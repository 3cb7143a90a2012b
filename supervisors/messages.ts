/** What the supervision tree understands. Everything travels on its control lane. */
import { defineProtocol } from '../kernel/index.ts';

/** Which supervisor: the ids from the root down, joined by slashes; empty for the root. */
const SUPERVISOR = { supervisor: { type: 'string' } } as const;
const CHILD = { ...SUPERVISOR, id: { type: 'string' } } as const;

const STARTED = {
  properties: { id: { type: 'string' }, name: { type: 'string' }, isIgnored: { type: 'boolean' } },
  optionalProperties: { address: { type: 'uint32' }, info: {} },
} as const;

const EXIT = {
  reason: { enum: ['stopped', 'shutdown', 'crashed'] },
  code: { type: 'string' },
  message: { type: 'string' },
  stack: { type: 'string' },
} as const;

export const supervisorProtocol = defineProtocol('supervisor', {
  /** Starts a child to the right of all others and answers once it is ready. `spec` is a ChildSpec. */
  startChild: { lane: 'control', request: { properties: { ...SUPERVISOR, spec: {} } }, reply: STARTED },
  /** Stops a child; its spec stays, unless it is temporary. */
  terminateChild: { lane: 'control', request: { properties: CHILD }, reply: { properties: { ended: { type: 'boolean' } } } },
  /** Stops a child and forgets it. */
  removeChild: { lane: 'control', request: { properties: CHILD }, reply: { properties: { ended: { type: 'boolean' } } } },
  /** Ends a child's present life as if it had crashed. */
  killChild: { lane: 'control', request: { properties: CHILD }, reply: { properties: { killed: { type: 'boolean' } } } },
  restartChild: { lane: 'control', request: { properties: CHILD }, reply: STARTED },
  deleteChild: { lane: 'control', request: { properties: CHILD }, reply: { properties: {} } },
  /** Children from left to right, as many as fit one answer: the first, or those after the one of that number. */
  whichChildren: {
    lane: 'control',
    request: { properties: SUPERVISOR, optionalProperties: { after: { type: 'uint32' } } },
    reply: {
      properties: {
        children: {
          elements: {
            properties: {
              id: { type: 'string' },
              name: { type: 'string' },
              type: { enum: ['worker', 'supervisor'] },
              state: { enum: ['starting', 'running', 'restarting', 'stopping', 'stopped'] },
              restarts: { type: 'uint32' },
              lastError: { type: 'string' },
            },
            optionalProperties: { address: { type: 'uint32' }, thread: { type: 'uint32' } },
          },
        },
      },
      /** Number of the last of them, if there are more. */
      optionalProperties: { next: { type: 'uint32' } },
    },
  },
  /** Answers with the spec of a child, a ChildSpec. */
  childSpec: { lane: 'control', request: { properties: CHILD }, reply: { properties: { spec: {} } } },
  countChildren: {
    lane: 'control',
    request: { properties: SUPERVISOR },
    reply: { properties: { specs: { type: 'uint32' }, active: { type: 'uint32' }, supervisors: { type: 'uint32' }, workers: { type: 'uint32' } } },
  },
  /** The last crash reports of the whole tree, oldest first, as far as they fit one answer. Each is a CrashReport. */
  crashReports: { lane: 'control', request: { properties: {} }, reply: { properties: { reports: { elements: {} } } } },
  /** Stops all children from right to left and answers with the names of those that had not ended in time. */
  shutdown: {
    lane: 'control',
    request: { properties: { deadlineMs: { type: 'float64' } } },
    reply: { properties: { still: { elements: { type: 'string' } } } },
  },
  /** A thread of the pool to the tree: the life of this child has ended by itself. */
  lifeEnded: { lane: 'control', request: { properties: { child: { type: 'uint32' }, ...EXIT } } },
});

export type TreeSpec = typeof supervisorProtocol.spec;
