/** Streaming answers: items in order, none beyond the demand, and an end that both sides learn of. */
import { SpillwayError, defineActor, defineProtocol, type ActorRef } from '../../../../kernel/index.ts';
import { dawdle, type Scenario, type Stage } from '../stage.ts';

const protocol = defineProtocol('source', {
  count: { request: { properties: { key: { type: 'uint32' }, to: { type: 'uint32' }, way: { enum: ['end', 'refuse', 'crash'] } } }, stream: { properties: { number: { type: 'uint32' } } } },
});
type Source = ActorRef<typeof protocol.spec>;
const readerProtocol = defineProtocol('reader', { read: { request: { properties: { from: { type: 'uint32' } } } } });

interface Flow {
  produced: number;
  taken: number;
  readonly demand: number;
  hasEnded: boolean;
  isReleased: boolean;
  hasBegun: boolean;
}

interface Flows {
  readonly stage: Stage;
  readonly flows: Flow[];
  /** With its timers end the waits of a stream that is in the middle of one, and its generator stays there. */
  hasCrashes: boolean;
}

const source = defineActor<typeof protocol.spec, Flows>({
  protocol,
  start: (context, { stage, flows }) => ({
    handlers: {
      async *count({ key, to, way }) {
        const flow = flows[key]!;
        flow.hasBegun = true;
        try {
          for (let number = 0; number < to; number++) {
            flow.produced++;
            stage.require(flow.produced - flow.taken <= flow.demand, `stream ${key}: ${flow.produced} items were made and ${flow.taken} taken, with a demand of ${flow.demand}.`);
            yield { number };
            await dawdle(context);
          }
          if (way === 'refuse') throw new SpillwayError('told_to_refuse', 'told to refuse');
          if (way === 'crash') throw new Error('told to crash');
        } finally {
          flow.isReleased = true;
        }
      },
    },
  }),
});

async function read(known: Flows, from: Source, dawdleHere: () => Promise<void>): Promise<void> {
  const { stage, flows } = known;
  const { random } = stage;
  const key = flows.length;
  const flow: Flow = { produced: 0, taken: 0, demand: 1 + random.int(6), hasEnded: false, isReleased: false, hasBegun: false };
  flows.push(flow);
  const to = random.int(12);
  const takes = random.int(3) === 0 ? random.int(8) : Infinity;
  const way = random.int(3) === 0 ? stage.pick(['refuse', 'crash'] as const) : 'end';
  if (way === 'crash') known.hasCrashes = true;
  let next = 0;
  try {
    for await (const { number } of from.stream('count', { key, to, way }, { deadlineMs: 50_000, demand: flow.demand })) {
      flow.taken++;
      stage.require(number === next, `stream ${key}: item ${number} came after ${next - 1}.`);
      next++;
      if (next > takes) break;
      await dawdleHere();
    }
    stage.require(next > takes || (next === to && way === 'end'), `stream ${key} ended after ${next} of ${to} items, with way ${way}.`);
  } catch (error) {
    stage.require(error instanceof SpillwayError, `stream ${key} ended with ${String(error)}.`);
    if ((error as SpillwayError).code === 'told_to_refuse') stage.require(way === 'refuse' && next === to, `stream ${key} was refused after ${next} of ${to} items.`);
  }
  flow.hasEnded = true;
}

const reader = defineActor<typeof readerProtocol.spec, Flows>({
  protocol: readerProtocol,
  start: (context, flows) => ({ handlers: { read: ({ from }) => read(flows, context.ref(from, protocol), () => dawdle(context)) } }),
});

export const streams: Scenario = {
  name: 'streams',
  promise: 'A stream gives its items in order, at most as many ahead as were asked for, and ends on both sides.',
  async play(stage) {
    const flows: Flows = { stage, flows: [], hasCrashes: false };
    const sources = [await stage.spawnThread('source-1', source, flows)];
    sources.push(await stage.system.spawn('source-2', source, flows, { thread: sources[0]!, onFailure: () => 'restart' }));
    const readers = [await stage.spawnThread('reader-1', reader, flows), await stage.system.spawn('reader-2', reader, flows, { thread: sources[0]! })];
    for (let round = 0; round < 6; round++) {
      const from = stage.pick(sources);
      if (stage.chance(0.4)) void read(flows, from, () => Promise.resolve());
      else stage.pick(readers.slice(0, 1)).tell('read', { from: from.address });
      await stage.wander(20);
      if (stage.chance(0.1)) stage.kill(sources[0]!);
    }
    await stage.quiet();
    const isWhole = !flows.hasCrashes && stage.system.ends.length === 0;
    for (const [key, { hasEnded, hasBegun, isReleased, taken, produced }] of flows.flows.entries()) {
      stage.require(hasEnded, `stream ${key} has not ended for its reader.`);
      stage.require(taken <= produced, `stream ${key} gave ${taken} of ${produced} items.`);
      if (isWhole && hasBegun) stage.require(isReleased, `stream ${key} was not released at its source.`);
    }
    for (const { name, streams: open } of stage.system.inspect().threads) stage.require(open === 0, `${name} has ${open} streams open at quiet.`);
  },
};
