/** An actor that tries what an isolated model must not be able to do, in the place of one. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { defineActor, defineProtocol } from '../../kernel/index.ts';

const result = { properties: { code: { type: 'string' } } } as const;

export const proberProtocol = defineProtocol('isolation-prober', {
  read: { request: { properties: { path: { type: 'string' } } }, reply: result },
  write: { request: { properties: { path: { type: 'string' } } }, reply: result },
  run: { request: { properties: {} }, reply: result },
  connect: { request: { properties: { port: { type: 'uint32' } } }, reply: result },
});

/** Empty if it could. */
function tried(act: () => void): { code: string } {
  try {
    act();
    return { code: '' };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'unknown' };
  }
}

export const prober = defineActor<typeof proberProtocol.spec, undefined>({
  protocol: proberProtocol,
  start: () => ({
    handlers: {
      read: ({ path }) => tried(() => readFileSync(path)),
      write: ({ path }) => tried(() => writeFileSync(path, 'x')),
      run: () => tried(() => execFileSync(process.execPath, ['--version'])),
      connect: ({ port }) =>
        new Promise((resolve) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.destroy();
            resolve({ code: '' });
          });
          socket.on('error', (error: NodeJS.ErrnoException) => resolve({ code: error.code ?? 'unknown' }));
        }),
    },
  }),
});
