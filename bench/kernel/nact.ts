/** Nact: actors that share the one thread of the process, each with a queue without a bound. */
import { dispatch, spawn, start, stop } from 'nact';
import type { Contestant } from './child.ts';
import { liveBytes, nowUs, residentMb } from './gauges.ts';
import { Tally, checkTally, makeReading, type Reading } from './reading.ts';
import { warmUpOf } from './task.ts';

export const nact: Contestant = {
  async local({ count }) {
    const system = start();
    let tally = new Tally();
    const sink = spawn(system, (_: undefined, reading: Reading) => tally.add(reading), 'sink');
    const source = spawn(
      system,
      (_: undefined, readings: number) => {
        for (let id = 0; id < readings; id++) dispatch(sink, makeReading(id));
      },
      'source',
    );
    const round = async (readings: number): Promise<number> => {
      tally = new Tally();
      const startedAtUs = nowUs();
      const all = tally.reached(readings);
      dispatch(source, readings);
      await all;
      checkTally(tally, readings);
      return (nowUs() - startedAtUs) / 1e3;
    };
    await round(warmUpOf(count));
    const elapsedMs = await round(count);
    stop(system);
    return { messages: count, elapsedMs };
  },

  async crowd({ actors, laps }) {
    const system = start();
    let onLap: (hops: number) => void = () => {};
    const end = spawn(system, (_: undefined, hops: number) => onLap(hops), 'end');
    const passOn = (next: typeof end) => (_: undefined, hops: number): void => dispatch(next, hops + 1);
    const liveBefore = liveBytes();
    const residentBefore = residentMb().now;
    const startedAtUs = nowUs();
    let first = end;
    for (let place = 0; place < actors; place++) first = spawn(system, passOn(first), `actor-${place}`);
    const spawnUs = nowUs() - startedAtUs;
    const liveAfter = liveBytes();
    const residentAfter = residentMb().now;
    const lapUs: number[] = [];
    for (let lap = 0; lap < laps; lap++) {
      const lapAtUs = nowUs();
      const hops = await new Promise<number>((resolve) => {
        onLap = resolve;
        dispatch(first, 0);
      });
      if (hops !== actors) throw new Error(`the token made ${hops} hops, not ${actors}`);
      lapUs.push(nowUs() - lapAtUs);
    }
    return {
      spawnedPerSecond: (actors / spawnUs) * 1e6,
      liveBytesPerActor: (liveAfter - liveBefore) / actors,
      residentBytesPerActor: ((residentAfter - residentBefore) * 2 ** 20) / actors,
      hopsPerSecond: (actors / Math.min(...lapUs)) * 1e6,
    };
  },
};
