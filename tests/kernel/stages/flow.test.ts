import { BACK_PRESSURED, TOO_LONG } from 'atomics-ring-buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ActorRef } from '../../../kernel/index.ts';
import { dispatcherOf, type DispatcherSpec } from '../../../kernel/stages/dispatchers.ts';
import { completeBuffer } from '../../../kernel/stages/event-buffer.ts';
import { Inlet } from '../../../kernel/stages/inlet.ts';
import { Outlet } from '../../../kernel/stages/outlet.ts';
import type { AnyStageSpec } from '../../../kernel/stages/stage-protocol.ts';

const PRODUCER = 0;
const NEVER = { cancel: () => {} };
/** The most events that one message holds here, so that there is something to split. */
const LONGEST = 3;

interface End {
  readonly inlet: Inlet;
  readonly maxDemand: number;
  readonly data: { id: number; events: number[] }[];
  readonly control: { id: number; sent: number; reason: 'done' | 'cancelled' | 'stopped' | 'crashed' }[];
  readonly handled: number[];
  arrivedUnhandled: number;
  reasons: string[];
}

/** One producer and its consumers, with lanes that deliver and refuse as the test says, and timers that run when it says. */
class World {
  readonly ends: End[] = [];
  readonly toProducer: (() => void)[] = [];
  readonly outlet: Outlet;
  isRefusing = false;
  isFinished = false;
  #timers: (() => void)[] = [];
  #made = 0;

  constructor(dispatcher: DispatcherSpec<never>) {
    const after = (_ms: number, run: () => void): typeof NEVER => {
      this.#timers.push(run);
      return NEVER;
    };
    this.outlet = new Outlet(
      {
        after,
        watch: () => NEVER,
        tellEvents: (to, id, events) => {
          if (this.isRefusing) return BACK_PRESSURED;
          if (events.length > LONGEST) return TOO_LONG;
          this.ends[to - 1]!.data.push({ id, events: events as number[] });
          return 0;
        },
        tellEnded: (to, id, sent, reason) => (this.isRefusing ? BACK_PRESSURED : (this.ends[to - 1]!.control.push({ id, sent, reason }), 0)),
        onDemand: () => {},
        onFinished: () => (this.isFinished = true),
      },
      dispatcherOf(dispatcher, completeBuffer({ capacity: 5 })),
    );
  }

  async add(maxDemand: number, minDemand: number): Promise<void> {
    const address = this.ends.length + 1;
    const inlet = new Inlet({ incarnation: 1, after: (_ms, run) => (this.#timers.push(run), NEVER), watch: () => NEVER, onEnded: () => {} });
    this.ends.push({ inlet, maxDemand, data: [], control: [], handled: [], arrivedUnhandled: 0, reasons: [] });
    const handle: Record<string, (request: { id: number; count: number; handled: number }) => void> = {
      demand: ({ id, count, handled }) => this.outlet.demand(address, id, count, handled),
      unsubscribe: ({ id, handled }) => this.outlet.unsubscribe(address, id, handled),
    };
    const producer = {
      address: PRODUCER,
      tell: (name: string, request: never): number => {
        if (this.isRefusing) return BACK_PRESSURED;
        this.toProducer.push(() => handle[name]!(request));
        return 0;
      },
      ask: async (name: string, request: { id: number; maxDemand: number }) => {
        if (name === 'subscribe') this.outlet.subscribe(address, request.id, request.maxDemand, undefined);
        return { isKnown: this.outlet.knows(address, request.id) };
      },
    } as unknown as Pick<ActorRef<AnyStageSpec>, 'address' | 'tell' | 'ask'>;
    await inlet.subscribe(producer, { to: PRODUCER, maxDemand, minDemand, cancel: 'permanent' });
  }

  produce(atMost: number): void {
    const count = Math.min(atMost, this.outlet.wanted);
    const events = Array.from({ length: count }, () => ({ event: this.#made++, ticket: undefined }));
    if (count > 0) expect(this.outlet.emit(events)).toBe(0);
  }

  get made(): number[] {
    return Array.from({ length: this.#made }, (_, value) => value);
  }

  /** Delivers the next data message to a consumer, who handles it. */
  deliver(index: number): boolean {
    const end = this.ends[index]!;
    const message = end.data.shift();
    if (message === undefined) return false;
    const subscription = end.inlet.arrived(message.id, message.events.length)!;
    for (const event of message.events) {
      end.handled.push(event);
      end.inlet.credit(subscription, 1);
    }
    return true;
  }

  control(index: number): boolean {
    const end = this.ends[index]!;
    const message = end.control.shift();
    if (message !== undefined) end.inlet.ended(message.id, message.sent, message.reason);
    if (end.inlet.hasEnded) end.reasons.push(...end.inlet.takeEnded().map((over) => over.end!.reason));
    return message !== undefined;
  }

  tick(): boolean {
    const timers = this.#timers;
    this.#timers = [];
    for (const run of timers) run();
    return timers.length > 0;
  }

  checkInFlight(): void {
    for (const { data, maxDemand, inlet } of this.ends) {
      const inLane = data.reduce((sum, { events }) => sum + events.length, 0);
      expect(inLane).toBeLessThanOrEqual(maxDemand);
      expect(inlet.stats.inFlight).toBeLessThanOrEqual(maxDemand);
    }
  }

  /** Lets everything happen that can, a bounded number of times. */
  settle(): void {
    this.isRefusing = false;
    for (let round = 0; round < 2_000 && !this.isFinished; round++) {
      this.tick();
      this.toProducer.shift()?.();
      for (const index of this.ends.keys()) {
        this.deliver(index);
        this.control(index);
      }
      this.checkInFlight();
    }
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('produce' as const), n: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ do: fc.constantFrom('deliver' as const, 'control' as const), n: fc.nat({ max: 2 }) }),
    fc.record({ do: fc.constantFrom('producer' as const, 'tick' as const, 'refuse' as const), n: fc.constant(0) }),
  ),
  { maxLength: 120 },
);
const demands = fc.array(fc.integer({ min: 1, max: 9 }).chain((max) => fc.integer({ min: 0, max: max - 1 }).map((min) => ({ max, min }))), { minLength: 1, maxLength: 3 });

test.each(['demand', 'broadcast', 'partition'] as const)('%s: whatever the lanes refuse and whenever they deliver, no more is in flight than was asked for, and nothing is lost or doubled', async (type) => {
  await fc.assert(
    fc.asyncProperty(demands, steps, async (consumers, script) => {
      const world = new World(type === 'partition' ? { type, partitions: consumers.length, key: (event: never) => Number(event) % 7 } : { type });
      for (const { max, min } of consumers) await world.add(max, min);
      for (const { do: step, n } of script) {
        const index = n % world.ends.length;
        if (step === 'produce') world.produce(n);
        else if (step === 'deliver') world.deliver(index);
        else if (step === 'control') world.control(index);
        else if (step === 'producer') world.toProducer.shift()?.();
        else if (step === 'tick') world.tick();
        else world.isRefusing = !world.isRefusing;
        world.checkInFlight();
      }
      world.outlet.finish();
      world.settle();
      expect(world.isFinished).toBe(true);
      const handled = world.ends.map((end) => end.handled);
      if (type === 'broadcast') for (const values of handled) expect(values).toEqual(world.made);
      else expect(handled.flat().sort((one, other) => one - other)).toEqual(world.made);
      for (const values of handled) expect(values).toEqual([...values].sort((one, other) => one - other));
      for (const { reasons } of world.ends) expect(reasons).toEqual(['done']);
      expect(world.outlet.stats).toMatchObject({ lost: 0, dropped: 0, tooLarge: 0, queued: 0, subscribers: 0 });
    }),
    { numRuns: 200 },
  );
});

test('what a consumer had been given and could not be sent goes to another when it leaves', async () => {
  const world = new World({ type: 'demand' });
  await world.add(5, 0);
  world.isRefusing = true;
  world.produce(5);
  const { id } = { id: 1 * 65_536 + 1 };
  world.outlet.unsubscribe(1, id, 0);
  expect(world.outlet.stats).toMatchObject({ queued: 5, lost: 0, sent: 0 });
  await world.add(5, 0);
  world.outlet.finish();
  world.settle();
  expect(world.ends[1]!.handled).toEqual([0, 1, 2, 3, 4]);
});

test('a partition that nobody has keeps its producer from producing when its buffer is full', async () => {
  const world = new World({ type: 'partition', partitions: 2, key: (event: never) => Number(event) });
  await world.add(4, 0);
  for (let round = 0; round < 100; round++) {
    world.produce(100);
    world.deliver(0);
    world.toProducer.shift()?.();
  }
  expect(world.outlet.wanted).toBe(0);
  expect(world.outlet.stats).toMatchObject({ queued: 5, dropped: 0 });
  await world.add(4, 0);
  expect(world.outlet.wanted).toBeGreaterThan(0);
});
