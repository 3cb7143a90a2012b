/** What a supervisor understands. Everything travels on its control lane. */
import { defineProtocol } from '../kernel/index.ts';

export const supervisorProtocol = defineProtocol('supervisor', {
  /** Starts a child to the right of all others and answers once it has started. `spec` is a ChildSpec. */
  startChild: {
    lane: 'control',
    request: { properties: { spec: {} } },
    reply: { properties: { thread: { type: 'uint32' } } },
  },
  /** Stops a child and forgets it. */
  terminateChild: {
    lane: 'control',
    request: { properties: { id: { type: 'string' } } },
    reply: { properties: { ended: { type: 'boolean' } } },
  },
  whichChildren: {
    lane: 'control',
    request: { properties: {} },
    reply: {
      properties: {
        children: {
          elements: {
            properties: {
              id: { type: 'string' },
              thread: { type: 'uint32' },
              state: { enum: ['starting', 'running', 'restarting', 'stopping', 'ended'] },
              restarts: { type: 'uint32' },
              lastError: { type: 'string' },
            },
          },
        },
      },
    },
  },
  /** Stops all children from right to left and answers with the ids of those that had not ended in time. */
  shutdown: {
    lane: 'control',
    request: { properties: { deadlineMs: { type: 'float64' } } },
    reply: { properties: { still: { elements: { type: 'string' } } } },
  },
});

export type SupervisorSpec = typeof supervisorProtocol.spec;
