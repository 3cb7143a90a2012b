/** Asks end exactly once and tell the truth about whether they may have been handled, whatever happens to the actor. */
import { SpillwayError, defineActor, defineProtocol, type ActorContext, type ActorRef } from '../../../../kernel/index.ts';
import { dawdle, pause, type Scenario, type Stage } from '../stage.ts';

const WAYS = ['answer', 'late', 'refuse', 'crash', 'crashLate', 'never', 'stop'] as const;
const askedProtocol = defineProtocol('asked', {
  act: { request: { properties: { id: { type: 'uint32' }, way: { enum: WAYS } } }, reply: { properties: { id: { type: 'uint32' } } } },
  actUrgently: { lane: 'control', request: { properties: { id: { type: 'uint32' }, way: { enum: WAYS } } }, reply: { properties: { id: { type: 'uint32' } } } },
});
type Asked = ActorRef<typeof askedProtocol.spec>;
const askerProtocol = defineProtocol('asker', { go: { request: { properties: { to: { type: 'uint32' }, count: { type: 'uint32' } } } } });

export class AskBook {
  readonly #stage: Stage;
  readonly begun = new Map<number, number>();
  readonly #ended = new Map<number, number>();
  readonly #unhandled = new Set<number>();
  #lastId = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** A handler has begun with it. */
  begin(id: number): void {
    this.begun.set(id, (this.begun.get(id) ?? 0) + 1);
  }

  /** Makes an ask with a number of its own and takes note of its end. */
  ask(run: (id: number) => Promise<{ id: number }>): void {
    const id = ++this.#lastId;
    this.#ended.set(id, 0);
    void this.#follow(id, run(id));
  }

  async #follow(id: number, asked: Promise<{ id: number }>): Promise<void> {
    const stage = this.#stage;
    try {
      const reply = await asked;
      stage.require(reply.id === id, `ask ${id} was given the answer to ${reply.id}.`);
      stage.require(this.begun.get(id) === 1, `ask ${id} was answered, and its handler has begun ${this.begun.get(id) ?? 0} times.`);
    } catch (error) {
      const mayHaveBeenHandled = error instanceof SpillwayError ? error.details?.['mayHaveBeenHandled'] : undefined;
      if (mayHaveBeenHandled === false) this.#unhandled.add(id);
      else stage.require(mayHaveBeenHandled === true, `ask ${id} does not say whether it may have been handled: ${String(error)}.`);
      stage.require(error instanceof SpillwayError && CODES.has(error.code), `ask ${id} ended with ${String(error)}.`);
    }
    this.#ended.set(id, this.#ended.get(id)! + 1);
  }

  judge(): void {
    for (const [id, ends] of this.#ended) this.#stage.require(ends === 1, `ask ${id} has ended ${ends} times.`);
    for (const [id, times] of this.begun) this.#stage.require(times === 1, `ask ${id} was handled ${times} times.`);
    for (const id of this.#unhandled) this.#stage.require(!this.begun.has(id), `ask ${id} was said not to have been handled, and was.`);
  }
}

const CODES = new Set(['told_to_refuse', 'ask_refused', 'ask_deadline', 'ask_cancelled', 'actor_restarted', 'actor_stopped', 'actor_unknown']);

export const asked = defineActor<typeof askedProtocol.spec, AskBook>({
  protocol: askedProtocol,
  start(context, book) {
    const act = async ({ id, way }: { id: number; way: (typeof WAYS)[number] }): Promise<{ id: number }> => {
      book.begin(id);
      if (way === 'refuse') throw new SpillwayError('told_to_refuse', 'told to refuse');
      if (way === 'crash') throw new Error('told to crash');
      if (way === 'late' || way === 'crashLate') await pause(context, context.random.int(8));
      if (way === 'crashLate') throw new Error('told to crash late');
      if (way === 'never') await new Promise(() => {});
      if (way === 'stop') context.stopSelf();
      return { id };
    };
    return { handlers: { act, actUrgently: act } };
  },
});

function askOnce(to: Asked, random: ActorContext['random'], book: AskBook): void {
  const way = random.int(3) === 0 ? WAYS[random.int(WAYS.length)]! : WAYS[random.int(2)]!;
  const cancel = random.int(4) === 0 ? new AbortController() : undefined;
  const options = { deadlineMs: 1 + random.int(60), ...(cancel === undefined ? {} : { signal: cancel.signal }) };
  book.ask((id) => to.ask(random.int(4) === 0 ? 'actUrgently' : 'act', { id, way }, options));
  if (cancel !== undefined && random.int(3) === 0) cancel.abort();
  else if (cancel !== undefined) cancels.push(cancel);
}

/** Of the order that is played at present; one at a time. */
let cancels: AbortController[] = [];

const asker = defineActor<typeof askerProtocol.spec, AskBook>({
  protocol: askerProtocol,
  start: (context, book) => ({
    handlers: {
      async go({ to, count }) {
        for (let left = count; left > 0; left--) {
          askOnce(context.ref(to, askedProtocol), context.random, book);
          await dawdle(context);
        }
      },
    },
  }),
});

export const asks: Scenario = {
  name: 'asks',
  promise: 'Ask ends exactly once: with the answer, with the error the handler threw, or with a code that says whether it may have been handled.',
  options: (random) => ({ lateness: random.int(2) * 0.05 }),
  async play(stage) {
    cancels = [];
    const book = new AskBook(stage);
    const home = await stage.spawnThread('asker-1', asker, book);
    const askers = [home, await stage.system.spawn('asker-2', asker, book, { thread: home })];
    const targets: Asked[] = [
      await stage.spawnThread('permanent', asked, book),
      await stage.spawnThread('temporary', asked, book, { restart: 'temporary' }),
      await stage.system.spawn('beside', asked, book, { thread: home, onFailure: () => 'restart' }),
    ];
    targets.push(await stage.system.spawn('child', asked, book, { thread: targets[0]!, onFailure: () => stage.pick(['restart', 'stop']) }));
    for (let round = 0; round < 12; round++) {
      const target = stage.pick(targets);
      if (stage.chance(0.5)) stage.pick(askers).tell('go', { to: target.address, count: 1 + stage.random.int(5) });
      else askOnce(target, stage.random, book);
      await stage.wander();
      if (stage.chance(0.3)) cancels.splice(stage.random.int(cancels.length + 1), 1)[0]?.abort();
      if (stage.chance(0.1)) stage.kill(targets[stage.random.int(2)]!);
      if (stage.chance(0.1)) stage.stall(targets[0]!);
    }
    await stage.quiet();
    book.judge();
  },
};
