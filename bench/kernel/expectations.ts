/** What this repository promises of its kernel, each with what was found; without the peers that are not here. */
import type { KernelResult } from './figures.ts';
import { unaccounted } from './tables.ts';

export interface Expectation {
  readonly what: string;
  readonly bound: string;
  readonly found: number;
  readonly isMet: boolean;
}

export function expectationsOf({ flow, local, trips, control, overload }: KernelResult): Expectation[] {
  const expectations: Expectation[] = [];
  const least = (what: string, bound: number, found: number | undefined): void => {
    if (isKnown(found)) expectations.push({ what, bound: `>= ${bound}`, found, isMet: found >= bound });
  };
  const most = (what: string, bound: number, found: number | undefined): void => {
    if (isKnown(found)) expectations.push({ what, bound: `<= ${bound}`, found, isMet: found <= bound });
  };
  least('one way between threads, times BEAM', 3, ratio(flow.Spillway, flow.BEAM));
  least('one way between threads, times postMessage', 15, ratio(flow.Spillway, flow.postMessage));
  least('one way on one thread, times BEAM', 3, ratio(local.Spillway, local.BEAM));
  for (const [placement, byWay] of Object.entries(trips)) {
    const parked = byWay.Spillway?.p50Us;
    most(`parked ask, ${placement}, p50 of BEAM's`, 0.333, ratio(parked, byWay.BEAM?.p50Us));
    most(`parked ask, ${placement}, p50 of piscina's`, 0.5, ratio(parked, byWay.piscina?.p50Us));
    most(`ask through event loops, ${placement}, p50 of the port's`, 1.2, ratio(byWay['Spillway, event loop']?.p50Us, byWay.postMessage?.p50Us));
  }
  most('control past a full data lane, p99 in us', 100, control.Spillway?.p99Us);
  most('control messages shed', 0, control.Spillway?.shed);
  const load = overload.Spillway;
  most('peak memory at 10 x the load, of that at 1 x', 1.05, ratio(load?.tenfold.peakRssMb, load?.once.peakRssMb));
  for (const { account } of [load?.once, load?.tenfold].filter((report) => report !== undefined)) {
    if (account !== undefined) most('messages not accounted for, of those accepted', 0, Math.abs(unaccounted(account)));
  }
  return expectations;
}

function ratio(own: number | undefined, other: number | undefined): number | undefined {
  return own === undefined || other === undefined ? undefined : own / other;
}

function isKnown(found: number | undefined): found is number {
  return found !== undefined;
}
