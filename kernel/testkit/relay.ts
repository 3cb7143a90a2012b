/** All pumps of a test system: every link of every thread leads through one for each lane. */
import { SpscObserver, createSpscRing } from 'atomics-ring-buffer';
import { formatAddress, threadOf, type Address } from '../address.ts';
import { LANES, type Lane } from '../lanes.ts';
import type { LinkBuffers, PeerLink } from '../link.ts';
import { RecordPump } from './record-pump.ts';

export interface RelayHost {
  /** Name of a thread, for people and for faults. */
  threadName(thread: number): string;
  messageName(address: Address, kind: number): string | undefined;
}

interface Route {
  readonly from: Address;
  readonly to: Address;
  readonly entrance: LinkBuffers;
  readonly pumps: readonly RecordPump[];
}

export class Relay {
  readonly #host: RelayHost;
  readonly #routes = new Map<string, Route>();
  #pumps: readonly RecordPump[] = [];

  constructor(host: RelayHost) {
    this.#host = host;
  }

  /** In the order in which their links were made. */
  get pumps(): readonly RecordPump[] {
    return this.#pumps;
  }

  /** The link with which `self` shall work instead: what it sends waits for the pumps. The same for all lives of its thread. */
  through(self: Address, link: PeerLink): PeerLink {
    const key = `${formatAddress(self)}>${formatAddress(link.peer)}`;
    let route = this.#routes.get(key);
    if (route === undefined) {
      route = this.#route(self, link);
      this.#routes.set(key, route);
      this.#pumps = [...this.#pumps, ...route.pumps];
    }
    return { ...link, outbound: route.entrance };
  }

  pumpsFrom(thread: number): readonly RecordPump[] {
    return [...this.#routes.values()].flatMap(({ from, pumps }) => (threadOf(from) === thread ? pumps : []));
  }

  /** Those that lead to the thread of this actor. */
  pumpsTo(to: Address, lane: Lane): readonly RecordPump[] {
    return this.#pumps.filter(({ route }) => route.lane === lane && route.to === to);
  }

  #route(from: Address, { peer, outbound }: PeerLink): Route {
    const ring = (lane: Lane): SharedArrayBuffer => createSpscRing({ capacityBytes: new SpscObserver(outbound[lane]).capacityBytes });
    const entrance = Object.fromEntries(LANES.map((lane) => [lane, ring(lane)])) as Record<Lane, SharedArrayBuffer>;
    const pumps = LANES.map(
      (lane) =>
        new RecordPump(
          {
            from,
            to: peer,
            fromName: this.#host.threadName(threadOf(from)),
            toName: this.#host.threadName(threadOf(peer)),
            lane,
            nameOf: (address, kind) => this.#host.messageName(address, kind),
          },
          entrance[lane],
          outbound[lane],
        ),
    );
    return { from, to: peer, entrance, pumps };
  }
}
