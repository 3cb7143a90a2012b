/**
 * Actors for a siege: a root that starts its one worker again whenever it ends, and kills it when it is told to; and
 * the worker, which notes in shared memory what it begins and ends.
 */
import { getEnvironmentData } from 'node:worker_threads';
import { defineActor, defineProtocol, type DeliverySpec, type HostedThread } from '../../../kernel/index.ts';
import { SiegeRecord } from './siege-record.ts';

/** Under which the record's memory is handed on to the threads. */
export const RECORD_KEY = 'siege record';

const none = { properties: {} } as const;

export const arenaProtocol = defineProtocol('arena', {
  open: { lane: 'control', request: { properties: { delivery: {}, dataBytes: { type: 'uint32' } } }, reply: none },
  /** Answered with what the thread has left; see remains.ts. */
  kill: { lane: 'control', request: none, reply: { properties: { remains: {} } } },
  close: { lane: 'control', request: none, reply: none },
});

const id = { properties: { id: { type: 'uint32' } } } as const;

export const siegedProtocol = defineProtocol('sieged', {
  job: { request: id, reply: id },
  note: { request: id },
  urgent: { lane: 'control', request: id, reply: id },
});

export const root = defineActor({
  protocol: arenaProtocol,
  start({ host }, _args: undefined) {
    let sieged: HostedThread | undefined;
    let isOpen = true;
    let onEnd = (): void => {};
    const start = async (): Promise<void> => {
      while (isOpen) {
        try {
          await host!.start(sieged!, () => {
            onEnd();
            void start();
          });
          return;
        } catch {
          // Killed before it had started.
        }
      }
    };
    return {
      handlers: {
        async open({ delivery, dataBytes }) {
          const source = { module: import.meta.url, export: 'sieged' };
          sieged = host!.add({ name: 'sieged', source, mailbox: { dataBytes }, delivery: delivery as DeliverySpec });
          await start();
          return {};
        },
        async kill() {
          // Also where it had not started, so that its end is told to nobody but who waits for its start.
          let remains = host!.remains(sieged!);
          onEnd = () => void (remains = host!.remains(sieged!));
          await host!.kill(sieged!, 'killed', 'killed by the siege');
          return { remains: JSON.parse(JSON.stringify(remains)) as unknown };
        },
        async close() {
          isOpen = false;
          await host!.stop(sieged!, 5_000);
          host!.remove(sieged!);
          return {};
        },
      },
    };
  },
});

/** One message of so many ends its life when it comes for the first time. */
const DEADLY = 1_500;

export const sieged = defineActor({
  protocol: siegedProtocol,
  start(_context, _args: undefined) {
    const record = new SiegeRecord(getEnvironmentData(RECORD_KEY) as SharedArrayBuffer);
    record.lives++;
    const ends = (message: { readonly id: number }): { id: number } => {
      record.ended(message.id);
      return { id: message.id };
    };
    const work = (message: { readonly id: number }, { redeliveries }: { readonly redeliveries: number }): { id: number } | Promise<{ id: number }> => {
      record.began(message.id, redeliveries > 0);
      const kind = message.id % DEADLY;
      if (redeliveries === 0 && kind === 501) process.exit(3);
      if (redeliveries === 0 && kind === 1_001) throw new Error('told to crash');
      const untilMs = performance.now() + (message.id % 7) * 0.02;
      while (performance.now() < untilMs);
      if (message.id % 3 === 0) return new Promise((resolve) => setImmediate(() => resolve(ends(message))));
      return ends(message);
    };
    return { handlers: { job: work, note: async (message, context) => void (await work(message, context)), urgent: work } };
  },
});
