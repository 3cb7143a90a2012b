/**
 * What is changed while inference is under load: which change comes next is drawn by seed, one after the other. Models
 * are swapped, brought back, unloaded, replaced by files that are no models; the process of an isolated one is killed.
 * Each change is checked for what it must have led to.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError, type Random } from '../../kernel/index.ts';
import type { Embedded } from '../../actors/inference/embed-options.ts';
import type { ModelHost } from '../../actors/inference/hosting/model-host.ts';
import type { SwapReport } from '../../actors/inference/hosting/model-slot.ts';

/** A model under a name of a host. */
export interface Hosted {
  readonly host: ModelHost;
  readonly name: string;
}

export interface ChangesSpec {
  /** Under load all the time. */
  readonly busy: Hosted;
  /** Used now and then. */
  readonly seldom: readonly Hosted[];
  /** In a process of its own. */
  readonly apart: Hosted;
  /** Files of models, and their hashes. */
  readonly models: readonly { readonly path: string; readonly sha256: string }[];
  /** Files that no load may accept, and what it refuses them with. */
  readonly spoilt: readonly { readonly path: string; readonly code: string }[];
  readonly random: Random;
}

/** A text that every model takes. */
const PROBE = 'w1 w2 w3';
const BACK_MS = 120_000;
const BACK_LOOK_MS = 5;
/** No room for a further model is no failure of the one that is there. */
const REFUSED: ReadonlySet<string> = new Set(['model_budget_exceeded']);

export class Changes {
  /** How often each kind has been made, or refused. */
  readonly tally: Record<string, number> = {};
  readonly violations: string[] = [];
  readonly loadsMs: number[] = [];
  /** From the end of an isolated model's process to its next vector. */
  readonly recoveriesMs: number[] = [];
  readonly #spec: ChangesSpec;
  /** What is under each name, and what was before the last swap; hashes. */
  readonly #now = new Map<string, string>();
  readonly #former = new Map<string, string>();

  constructor(spec: ChangesSpec) {
    this.#spec = spec;
  }

  get made(): number {
    return Object.values(this.tally).reduce((sum, times) => sum + times, 0);
  }

  /** Puts the first model under a name that has none. */
  add({ host, name }: Hosted): void {
    const { path, sha256 } = this.#spec.models[0]!;
    host.add(name, { model: path });
    this.#now.set(name, sha256);
  }

  /** The next change, until it is made. */
  async next(): Promise<void> {
    const kinds = Object.entries(this.#kinds);
    const [kind, change] = kinds[this.#spec.random.int(kinds.length)]!;
    let end = kind;
    try {
      end = `${kind}${(await change()) ?? ''}`;
    } catch (error) {
      end = `${kind}: ${error instanceof SpillwayError ? error.code : 'failed'}`;
      if (!(error instanceof SpillwayError && REFUSED.has(error.code))) this.violations.push(`${kind} ended with ${(error as Error).stack}`);
    }
    this.tally[end] = (this.tally[end] ?? 0) + 1;
  }

  /** Every model once: each is then known not to need the quarantine, and has had what it needs compiled. */
  async tour(hosted: Hosted): Promise<void> {
    for (const model of this.#spec.models) await this.#tried(`the first load of ${hosted.name}`, () => this.#swap(hosted, model));
  }

  /** A fresh load of the first model under this name, so that moments at which all names had it can be compared. */
  async renew(hosted: Hosted): Promise<void> {
    await this.#tried(`a fresh load of ${hosted.name}`, () => this.#swap(hosted, this.#spec.models[0]!));
  }

  /** Waits until there is a model under this name again, and it is the first one. */
  async settle(hosted: Hosted): Promise<void> {
    const first = this.#spec.models[0]!;
    await this.#tried(`settling ${hosted.name}`, () => (this.#now.get(hosted.name) === first.sha256 ? this.#probe(hosted) : this.#swap(hosted, first)));
  }

  /** Frees what nobody uses. */
  async unload({ host, name }: Hosted): Promise<void> {
    if (!(await host.unload(name))) this.violations.push(`${name} could not be unloaded though nobody used it`);
  }

  readonly #kinds: Readonly<Record<string, () => Promise<string | void>>> = {
    swap: () => this.#swap(this.#spec.busy, this.#anyModel()),
    'swap again': () => this.#swap(this.#spec.busy, this.#anyModel()),
    rollback: () => this.#rollback(this.#spec.busy),
    'swap of one seldom used': () => this.#swap(this.#anySeldom(), this.#anyModel()),
    unload: async () => ((await this.#unloaded(this.#anySeldom())) ? '' : ': in use'),
    'swap to a spoilt file': () => this.#swapToSpoilt(this.#spec.busy),
    'swap of an isolated one': () => this.#swap(this.#spec.apart, this.#anyModel()),
    'kill -9': () => this.#kill(this.#spec.apart),
  };

  async #swap(hosted: Hosted, { path, sha256 }: { readonly path: string; readonly sha256: string }): Promise<void> {
    const { host, name } = hosted;
    await this.#swapped(hosted, await host.swap(name, { model: path }), sha256);
  }

  async #rollback(hosted: Hosted): Promise<string | void> {
    const { host, name } = hosted;
    const former = this.#former.get(name);
    if (former !== undefined) return this.#swapped(hosted, await host.rollback(name), former);
    const code = await codeOf(host.rollback(name));
    if (code !== 'model_no_former') this.violations.push(`a rollback without a former model ended with ${code ?? 'a model'}`);
    return ': nothing before';
  }

  /** What a swap says of itself, and that calls which begin now get the new model. */
  async #swapped({ host, name }: Hosted, { from, to, isCut, loadMs }: SwapReport, sha256: string): Promise<void> {
    const before = this.#now.get(name)!;
    this.#former.set(name, before);
    this.#now.set(name, sha256);
    this.loadsMs.push(loadMs);
    if (to.sha256 !== sha256) this.violations.push(`${name} was to be swapped to ${sha256} and has ${to.sha256}`);
    if (from !== undefined && from.sha256 !== before) this.violations.push(`${name} had ${before}, and was swapped from ${from.sha256}`);
    if (isCut) this.violations.push(`a swap of ${name} has cut what the old model still had to do`);
    const code = await codeOf(this.#probe({ host, name }));
    if (code !== undefined && !REFUSED.has(code)) this.violations.push(`${name} does not embed after a swap: ${code}`);
  }

  /** An outcome, of the model that is under this name. */
  async #probe({ host, name }: Hosted): Promise<void> {
    const [one] = await this.#embedded({ host, name });
    if (one!.status !== 'ok') throw new SpillwayError(one!.status, one!.reason!);
    if (one!.model !== this.#now.get(name)) this.violations.push(`${name} was swapped to ${this.#now.get(name)}, and a call after that had ${one!.model}`);
  }

  /** Tried again when the load was there first and left no room, as whoever is refused with a hint may. */
  async #embedded({ host, name }: Hosted): Promise<Embedded[]> {
    const endMs = performance.now() + BACK_MS;
    for (;;) {
      try {
        return await host.embedder(name).embedSettled([PROBE], { cache: false, deadlineMs: BACK_MS });
      } catch (error) {
        if (!(error instanceof SpillwayError && error.code === 'embed_overloaded') || performance.now() > endMs) throw error;
        await pause((error.details as { retryAfterMs: number }).retryAfterMs);
      }
    }
  }

  async #unloaded({ host, name }: Hosted): Promise<boolean> {
    const isUnloaded = await host.unload(name);
    const hosted = host.list().find((one) => one.name === name)!;
    if (isUnloaded && hosted.state !== 'unloaded') this.violations.push(`${name} was unloaded and is ${hosted.state}`);
    return isUnloaded;
  }

  async #swapToSpoilt({ host, name }: Hosted): Promise<string> {
    const { path, code } = this.#spec.spoilt[this.#spec.random.int(this.#spec.spoilt.length)]!;
    const came = await codeOf(host.swap(name, { model: path }));
    if (came !== undefined && REFUSED.has(came)) return `: ${came}`;
    if (came !== code) this.violations.push(`a swap to a spoilt file ended with ${came ?? 'a model'} in place of ${code}`);
    await this.#probe({ host, name });
    return '';
  }

  async #kill(hosted: Hosted): Promise<string | void> {
    // Only isolated models have processes: the models and the binary were tried when all were loaded at the beginning.
    const pids = leavesOf(process.pid);
    // It was killed before and is not back yet.
    if (pids.length === 0) return ': none there';
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    const beginMs = performance.now();
    for (;;) {
      const code = await codeOf(this.#probe(hosted));
      if (code === undefined) break;
      if (performance.now() - beginMs > BACK_MS) throw new Error(`${hosted.name} does not embed ${BACK_MS} ms after its process was killed: ${code}`);
      await pause(BACK_LOOK_MS);
    }
    this.recoveriesMs.push(performance.now() - beginMs);
  }

  async #tried(what: string, change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      this.violations.push(`${what} ended with ${(error as Error).stack}`);
    }
  }

  #anyModel(): { readonly path: string; readonly sha256: string } {
    const { models, random } = this.#spec;
    return models[random.int(models.length)]!;
  }

  #anySeldom(): Hosted {
    const { seldom, random } = this.#spec;
    return seldom[random.int(seldom.length)]!;
  }
}

/** @returns undefined if it did not fail */
async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof SpillwayError) return error.code;
    throw error;
  }
}

/** The processes below this one that have none below them: what launches a sandbox is not what runs in it. */
function leavesOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => (childrenOf(child).length === 0 ? [child] : leavesOf(child)));
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter((child) => child.trim() !== '').map(Number));
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
