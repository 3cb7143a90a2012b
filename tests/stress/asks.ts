/** Asks to actors that crash, stop, hang, forward, stash and are cancelled by seed: each ends, and says truly whether it may have been handled. */
import { setEnvironmentData } from 'node:worker_threads';
import { seededRandom } from '../../kernel/index.ts';
import { createSystem } from '../../supervisors/index.ts';
import { AskRecord, afterOnEventLoop, drive } from '../kernel/ask-driver.ts';
import { RECORD_KEY, askerProtocol } from '../kernel/actors/asked.ts';
import { askedProtocol } from '../kernel/asked-protocol.ts';
import type { Report, Watch } from './run.ts';

/** Asks of one round; each begins with actors of its own. */
const ROUND = 10_000;
/** A round has two askers that are actors, and the application, which asks least. */
const APPLICATION_PART = 0.2;
const RUN_MS = 300_000;
/** Room for some fifty asks, so that some are refused. */
const LANE_BYTES = 4_096;

const module = new URL('../kernel/actors/asked.ts', import.meta.url).href;

export async function asks(count: number, watch: Watch, firstSeed = 1): Promise<Report> {
  const figures: Record<string, number> = { 'first seed': firstSeed, asks: 0, 'restarts of threads': 0 };
  const failures: string[] = [];
  const play = async (): Promise<void> => {
    for (let seed = firstSeed; figures['asks']! < count; seed++) {
      const part = Math.min(ROUND, count - figures['asks']!);
      const { restarts, tally, violations } = await round(part, seed);
      figures['asks']! += part;
      figures['restarts of threads']! += restarts;
      for (const [outcome, times] of Object.entries(tally)) figures[outcome] = (figures[outcome] ?? 0) + times;
      failures.push(...violations.map((violation) => `seed ${seed}: ${violation}`));
    }
  };
  await watch(() => figures['asks']! / count, play());
  return { figures, failures };
}

async function round(count: number, seed: number) {
  const memory = AskRecord.create(count);
  const record = new AskRecord(memory);
  setEnvironmentData(RECORD_KEY, memory);
  // Not told of the failures, which are meant.
  const system = await createSystem({ logLevel: 'error', supervisor: { intensity: 1e6, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
  try {
    const names = ['asked', 'parkedAsked', 'askedParent'] as const;
    const own = await Promise.all(names.map((name) => system.spawn({ id: name, start: { module, export: name }, mailbox: { dataBytes: LANE_BYTES } }, askedProtocol)));
    const askers = await Promise.all(
      (['asker', 'parkedAsker'] as const).map((name) => system.spawn({ id: name, start: { module, export: name } }, askerProtocol)),
    );
    const ofApplication = Math.floor(count * APPLICATION_PART);
    const each = Math.floor((count - ofApplication) / askers.length);
    let firstId = ofApplication;
    const runs = askers.map((asker, index) => {
      const part = index === askers.length - 1 ? count - firstId : each;
      const run = asker.ask('ask', { seed: seed * askers.length + index, firstId, count: part, names: [...names] }, { deadlineMs: RUN_MS });
      firstId += part;
      return run;
    });
    const random = seededRandom(seed).fork('application');
    await Promise.all([drive({ targets: { own }, random, firstId: 0, count: ofApplication, record, after: afterOnEventLoop }), ...runs]);
    const restarts = names.reduce((sum, name) => sum + system.health(name).restarts, 0);
    const askerRestarts = system.health('asker').restarts + system.health('parkedAsker').restarts;
    // Only after the close is it certain that nothing begins any more.
    await system.close(30_000);
    const violations = record.violations();
    if (askerRestarts > 0) violations.push(`an asker failed ${askerRestarts} times`);
    return { restarts, tally: record.tally(), violations };
  } finally {
    await system.close(30_000);
  }
}
