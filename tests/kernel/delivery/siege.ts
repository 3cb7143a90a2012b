/**
 * Terminates the thread of an actor again and again while it is under load, and looks at every message afterwards.
 * Beside the kills, a message now and then ends its life by itself: by an exit in its handler, or a defect.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { setEnvironmentData } from 'node:worker_threads';
import { Application, SpillwayError, seededRandom, type DeliveryGuarantee, type ThreadRemains } from '../../../kernel/index.ts';
import { RECORD_KEY, arenaProtocol, siegedProtocol } from './arena.ts';
import { SiegeRecord } from './siege-record.ts';
import { until } from '../condition.ts';

export interface SiegeOptions {
  readonly guarantee: DeliveryGuarantee;
  readonly kills: number;
  readonly seed: number;
  readonly onKill?: () => void;
}

export interface SiegeResult {
  readonly figures: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const ASK = { deadlineMs: 60_000 } as const;
/** Asks under way. */
const WINDOW = 24;
/** Messages for each kill, at the most: sending stops there. */
const MESSAGES_PER_KILL = 2_000;
/** Room for some fifty messages, so that the lane is full at times. */
const DATA_BYTES = 4_096;
const MAX_VIOLATIONS = 20;

export async function siege({ guarantee, kills, seed, onKill = () => {} }: SiegeOptions): Promise<SiegeResult> {
  const memory = SiegeRecord.create(MESSAGES_PER_KILL * (kills + 1));
  const record = new SiegeRecord(memory);
  setEnvironmentData(RECORD_KEY, memory);
  const application = new Application({ root: { module: new URL('./arena.ts', import.meta.url).href, export: 'root' }, maxThreads: 4, logLevel: 'error' });
  try {
    await application.started();
    const arena = application.root(arenaProtocol);
    const delivery = guarantee === 'at_least_once' ? { guarantee, maxRedeliveries: 1_000 } : { guarantee };
    await arena.ask('open', { delivery, dataBytes: DATA_BYTES }, ASK);
    const sieged = await application.resolve('sieged', siegedProtocol);
    const random = seededRandom(seed);
    const tells: number[] = [];
    const outcomes = new Map<number, string>();
    const pending = new Set<Promise<void>>();
    let [lastId, isOver] = [0, false];
    let [recorded, inHands] = [0, 0];
    const violations: string[] = [];
    const ask = (id: number): void => {
      const end = sieged
        .ask('job', { id }, ASK)
        .then(
          (answer) => answer.id === id ? 'answered' : `answered ${answer.id}`,
          (error: unknown) => error instanceof SpillwayError ? `${error.code} ${String(error.details['mayHaveBeenHandled'])}` : String(error),
        )
        .then((outcome) => void outcomes.set(id, outcome));
      pending.add(end);
      void end.then(() => pending.delete(end));
    };
    const load = async (): Promise<void> => {
      while (!isOver) {
        while (pending.size < WINDOW && lastId + 2 < record.capacity) {
          ask(++lastId);
          if (sieged.tell('note', { id: ++lastId }) === 0) tells.push(lastId);
        }
        await nextTurn();
      }
    };
    const loaded = load();
    for (let kill = 0; kill < kills; kill++) {
      // In the middle of anything: soon after the life has begun something, or later.
      const [lives, begun] = [record.lives, record.begun];
      await until(() => record.begun > begun + 3 || record.lives > lives || lastId + 2 >= record.capacity, 'the worker works');
      if (random.int(2) === 0) await pause(random.int(4));
      const remains = (await arena.ask('kill', {}, ASK)).remains as ThreadRemains;
      const inHand = remains.lastMessages.filter((message) => message.inHand);
      if (inHand.length > 1) violations.push(`${inHand.length} data messages were in hand at once`);
      recorded = Math.max(recorded, remains.lastMessages.length);
      if (inHand.length > 0) inHands++;
      await until(() => record.lives > lives, 'the next life has begun');
      onKill();
    }
    isOver = true;
    await loaded;
    await until(() => pending.size === 0, 'every ask has ended', 60_000);
    const counts = () => application.inspect().threads.find(({ name }) => name === 'sieged')!;
    // What was told comes to its end too.
    await until(() => {
      const { actors, lanes } = counts();
      const actor = actors.find(({ name }) => name === 'sieged');
      return actor !== undefined && lanes.data.levelBytes === 0 && actor.counts.arrived > 0 && openOf(actor.counts) === 0;
    }, 'the worker is at rest');
    const { counters, actors } = counts();
    const shown = actors.find(({ name }) => name === 'sieged')!.counts;
    await arena.ask('close', {}, ASK);
    const violate = (text: string): void => void (violations.length < MAX_VIOLATIONS && violations.push(text));
    let [lost, again, marked] = [0, 0, 0];
    const judge = (id: number, outcome: string | undefined): void => {
      const { first, again: redelivered, ended } = record.of(id);
      if (first > 1) violate(`${id} was begun ${first} times as if for the first time`);
      if (redelivered > 0) marked++;
      again += redelivered;
      if (guarantee === 'at_least_once') {
        // A kill may come between the mark and the handler: such a one is marked and was never begun before.
        if (ended === 0) {
          lost++;
          violate(`${id} was begun ${first} times, ${redelivered} times again, and never ended`);
        }
        if (outcome !== undefined && outcome !== 'answered') violate(`the ask ${id} ended: ${outcome}`);
        return;
      }
      if (redelivered > 0) violate(`${id} was begun again`);
      if (ended === 0) lost++;
      // One in hand may have been taken and not begun: only what says that it was not handled must not have been begun.
      const isExpected = outcome === undefined || outcome === 'answered' || outcome === 'actor_restarted true';
      if (!isExpected) violate(`the ask ${id} ended: ${outcome}`);
      if (outcome === 'answered' && first === 0) violate(`the ask ${id} was answered and never begun`);
    };
    // What was refused was not sent.
    for (const [id, outcome] of outcomes) if (!outcome.startsWith('ask_refused')) judge(id, outcome);
    for (const id of tells) judge(id, undefined);
    const sent = tells.length + [...outcomes.values()].filter((outcome) => !outcome.startsWith('ask_refused')).length;
    // At most once, one that the end met on its way out of its lane is counted as abandoned, and then taken all the same.
    const strays = shown.arrived - sent;
    if (strays < 0 || strays > (guarantee === 'at_least_once' ? 0 : record.lives)) violate(`${sent} were sent, and the board counts ${shown.arrived} as arrived`);
    if (guarantee === 'at_least_once' && shown.handled + shown.failed !== sent) violate(`${sent} were sent, and ${shown.handled} are counted as handled: ${JSON.stringify(shown)}`);
    if (guarantee === 'at_most_once' && counters.redelivered > 0) violate(`${counters.redelivered} are counted as redelivered`);
    return { figures: { sent, kills, lives: record.lives, lost, 'begun again': again, 'of them different': marked, 'counted as redelivered': counters.redelivered, 'counted as dead letters': shown.deadLettered, 'ends with a message in hand': inHands, 'last messages shown': recorded }, violations };
  } finally {
    await application.close(5_000);
  }
}

function openOf({ arrived, handled, failed, shed, expired, deadLettered }: Readonly<Record<'arrived' | 'handled' | 'failed' | 'shed' | 'expired' | 'deadLettered', number>>): number {
  return arrived - handled - failed - shed - expired - deadLettered;
}
