/** A child with a thread to itself, or a process: the kernel's thread host does it all. */
import type { Address, HostedThread, Started, ThreadHost, ThreadRemains, ThreadSpec } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';

export class ThreadPlace implements ChildPlace {
  readonly #host: ThreadHost;
  readonly #thread: HostedThread;

  /** @throws SpillwayError `too_many_threads`, `name_taken` */
  constructor(host: ThreadHost, spec: ThreadSpec) {
    this.#host = host;
    this.#thread = host.add(spec);
  }

  get address(): Address {
    return this.#thread.address;
  }

  start(onExit: (exit: ChildExit) => void): Promise<Started> {
    return this.#host.start(this.#thread, onExit);
  }

  stop(deadlineMs: number): Promise<boolean> {
    return this.#host.stop(this.#thread, deadlineMs);
  }

  kill(): Promise<boolean> {
    return this.#host.kill(this.#thread, 'child_killed', 'its supervisor has ended it');
  }

  remove(): void {
    this.#host.remove(this.#thread);
  }

  remains(): ThreadRemains {
    return this.#host.remains(this.#thread);
  }
}
