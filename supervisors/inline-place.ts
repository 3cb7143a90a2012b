/** A child that lives on the thread of the supervision tree. */
import { loadDefinition, type ActorContext, type ActorLives, type ActorSource, type Address, type Started } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';

export class InlinePlace implements ChildPlace {
  readonly #context: ActorContext;
  #source: ActorSource;
  readonly #name: string;
  #lives: ActorLives | undefined;
  #isRemoved = false;

  constructor(context: ActorContext, source: ActorSource, name: string) {
    this.#context = context;
    this.#source = source;
    this.#name = name;
  }

  get address(): Address | undefined {
    return this.#lives?.address;
  }

  async start(onExit: (exit: ChildExit) => void): Promise<Started> {
    if (this.#lives === undefined) {
      const definition = await loadDefinition(this.#source);
      if (this.#isRemoved) throw new TypeError(`${this.#name} was removed while its module loaded.`);
      this.#lives = this.#context.lives({ definition, args: this.#source.args, name: this.#name });
      this.#context.host?.registerName(this.#name, this.#lives.address);
    }
    return this.#lives.start(onExit);
  }

  stop(deadlineMs: number): Promise<boolean> {
    return this.#lives?.stop(deadlineMs) ?? Promise.resolve(true);
  }

  kill(): Promise<boolean> {
    this.#lives?.kill();
    return Promise.resolve(true);
  }

  forgetArgs(): void {
    this.#source = { module: this.#source.module, export: this.#source.export };
    this.#lives?.forgetArgs();
  }

  remove(exit: ChildExit | undefined): void {
    this.#isRemoved = true;
    this.#lives?.remove(exit?.reason === 'crashed' ? 'crashed' : 'shutdown', exit?.message ?? '');
  }
}
