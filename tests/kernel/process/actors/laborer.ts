/** An actor that writes down whatever it begins, and ends its own process in the middle of a message as often as that says. */
import { openSync, writeSync } from 'node:fs';
import { defineActor, defineProtocol } from '../../../../kernel/index.ts';

export const laborerProtocol = defineProtocol('laborer', {
  /** Ends its process until it was begun so often before. Answered with how often that was. */
  job: {
    request: { properties: { id: { type: 'uint32' }, kills: { type: 'uint32' } } },
    reply: { properties: { redeliveries: { type: 'uint32' } } },
  },
  note: { request: { properties: { id: { type: 'uint32' } } } },
});

/** What the journal tells of one begin. */
export interface JournalEntry {
  readonly id: number;
  readonly redeliveries: number;
  readonly pid: number;
}

export function entriesOf(journal: string): JournalEntry[] {
  const lines = journal.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [id, redeliveries, pid] = line.split(' ').map(Number) as [number, number, number];
    return { id, redeliveries, pid };
  });
}

/** Its argument is the path of the journal. */
export const laborer = defineActor<typeof laborerProtocol.spec, string>({
  protocol: laborerProtocol,
  start(_context, path) {
    const journal = openSync(path, 'a');
    // By one call to the system, so that it is there whatever becomes of the process.
    const begin = (id: number, redeliveries: number): void => void writeSync(journal, `${id} ${redeliveries} ${process.pid}\n`);
    return {
      handlers: {
        job({ id, kills }, { redeliveries }) {
          begin(id, redeliveries);
          if (redeliveries < kills) process.kill(process.pid, 'SIGKILL');
          return { redeliveries };
        },
        note: ({ id }, { redeliveries }) => begin(id, redeliveries),
      },
    };
  },
});
