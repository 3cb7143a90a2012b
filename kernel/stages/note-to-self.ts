/**
 * A message of an actor to itself, so that something is done in its turn with the other data messages and a
 * failure of it is the actor's. One is on its way at most; if the mailbox is full, it is tried again.
 */
import { CLOSED } from 'atomics-ring-buffer';
import type { ActorContext } from '../actor.ts';
import type { AnyStageRef } from './stage-protocol.ts';

const RETRY_MS = 1;

export class NoteToSelf {
  readonly #context: ActorContext;
  readonly #self: AnyStageRef;
  readonly #name: 'produce' | 'settle';
  #isOnItsWay = false;

  constructor(context: ActorContext, self: AnyStageRef, name: 'produce' | 'settle') {
    this.#context = context;
    this.#self = self;
    this.#name = name;
  }

  write(): void {
    if (this.#isOnItsWay) return;
    this.#isOnItsWay = true;
    this.#try();
  }

  /** To be called when it is handled, before anything else: from now on there may be another. */
  read(): void {
    this.#isOnItsWay = false;
  }

  #try(): void {
    const result = this.#self.tell(this.#name, {});
    if (result === CLOSED) this.#isOnItsWay = false;
    else if (result < 0) this.#context.after(RETRY_MS, () => this.#try());
  }
}
