// Systems of light actors for the tests, and files by which actors that hold their threads are let go.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActorRef } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type System, type SystemOptions } from '../../supervisors/index.ts';
import { lightProtocol, type LightArgs } from './actors/light.ts';

export type Light = ActorRef<typeof lightProtocol.spec>;

export const LIGHT_MODULE = new URL('./actors/light.ts', import.meta.url).href;
export const ask = { deadlineMs: 20_000 };
/** Longer than any test takes. */
export const NEVER_MS = 600_000;

export class LightSystem {
  readonly system: System;
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-light-'));
  #gates = 0;
  #spawned = 0;

  private constructor(system: System) {
    this.system = system;
  }

  static async create(options: SystemOptions = {}): Promise<LightSystem> {
    const supervisor = { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } };
    return new LightSystem(await createSystem({ logLevel: 'error', supervisor, ...options }));
  }

  /** An actor on a thread of its own. */
  spawn({ args, export: name = 'light', ...spec }: Omit<Partial<ChildSpec>, 'start'> & { args?: LightArgs; export?: string } = {}): Promise<Light> {
    return this.system.spawn({ ...spec, id: spec.id ?? `light-${++this.#spawned}`, start: { module: LIGHT_MODULE, export: name, args } }, lightProtocol);
  }

  /** An actor on the thread of another. */
  async spawnOn(parent: Light): Promise<Light> {
    const { addresses } = await parent.ask('spawn', { count: 1 }, ask);
    return this.system.ref(addresses[0]!, lightProtocol);
  }

  /** A file that is not there, until it is opened. */
  gate(): { readonly path: string; open(): void } {
    const path = join(this.#folder, String(++this.#gates));
    return { path, open: () => writeFileSync(path, '') };
  }

  /** A path for whoever wants one. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  async close(): Promise<void> {
    await this.system.close();
    rmSync(this.#folder, { recursive: true });
  }
}
