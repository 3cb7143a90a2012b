/** A system with the keeper as its root, for tests of the kernel that need no supervisor. */
import { Application, type ActorInspection, type ActorRef, type ThreadSpec } from '../../../kernel/index.ts';
import { keeperProtocol } from './actors/keeper.ts';
import { outcastProtocol } from './actors/outcast.ts';

const module = (name: string): string => new URL(name, import.meta.url).href;

/** The keeper does one thing after another, and tests that run together all start processes with it. */
const KEEPER_DEADLINE = { deadlineMs: 60_000 } as const;

export type Outcast = ActorRef<typeof outcastProtocol.spec>;
export type End = { readonly name: string; readonly reason: string; readonly code: string; readonly message: string; readonly incarnation: number };

export const OUTCAST = { module: module('./actors/outcast.ts'), export: 'outcast' };
export const ECHO = { module: module('../actors/echo.ts'), export: 'echo' };
export const STREAMER = { module: module('../actors/streamer.ts'), export: 'streamer' };
export const FALSE_CHILD = module('./actors/false-child.ts');

export class SmallSystem {
  readonly application: Application;
  readonly #keeper: ActorRef<typeof keeperProtocol.spec>;

  static async create(): Promise<SmallSystem> {
    const application = new Application({ root: { module: module('./actors/keeper.ts'), export: 'keeper' }, maxThreads: 32, logLevel: 'error' });
    await application.started();
    return new SmallSystem(application);
  }

  constructor(application: Application) {
    this.application = application;
    this.#keeper = application.root(keeperProtocol);
  }

  /** @returns the thread */
  async start(spec: Partial<ThreadSpec> & { readonly name: string }, restarts = 0): Promise<number> {
    const { thread } = await this.#keeper.ask('start', { spec: { source: OUTCAST, process: {}, ...spec }, restarts }, KEEPER_DEADLINE);
    return thread;
  }

  /** What is shown of the actor that a thread is for. */
  actor(name: string): ActorInspection {
    return this.application.inspect().threads.find((thread) => thread.name === name)!.actors[0]!;
  }

  outcast(name: string): Promise<Outcast> {
    return this.application.resolve(name, outcastProtocol);
  }

  async ends(name: string): Promise<readonly End[]> {
    const { ends } = await this.#keeper.ask('ends', { name }, KEEPER_DEADLINE);
    return ends;
  }

  async stop(name: string, deadlineMs = 2_000): Promise<boolean> {
    const { ended } = await this.#keeper.ask('stop', { name, deadlineMs }, KEEPER_DEADLINE);
    return ended;
  }

  async kill(name: string): Promise<boolean> {
    const { ended } = await this.#keeper.ask('kill', { name }, KEEPER_DEADLINE);
    return ended;
  }

  async close(): Promise<void> {
    await this.#keeper.ask('stopAll', {}, KEEPER_DEADLINE);
    await this.application.close(5_000);
  }
}

/** Whether there is such a process, a dead one that nobody has waited for included. */
export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
