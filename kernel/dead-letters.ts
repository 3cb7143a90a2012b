/**
 * Messages that came to their end without a handler: each is counted under its reason, and told to those
 * who have subscribed. Telling is telemetry: under a flood letters go untold, and are counted as that.
 */
import type { ActorCell } from './actor-cell.ts';
import { GUARDIAN_THREAD, type Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { Letter } from './letter.ts';
import type { ShedReason } from './mailbox/mailbox.ts';
import { ThreadBlock, type DeadLetterReason } from './thread-block.ts';

/** Why a message was not handled. A closed list. */
export type LostReason = DeadLetterReason | ShedReason;

/** A message that was not handled, as a subscriber is told of it: what it was, never its content. */
export interface DeadLetter {
  readonly to: Address;
  readonly from: Address;
  /** Name of the actor that it was for. */
  readonly actor: string;
  readonly protocol: string;
  readonly message: string;
  readonly reason: string;
  /** By the wall clock, for display. */
  readonly timeMs: number;
}

export class DeadLetters {
  readonly #block: ThreadBlock;
  readonly #clock: Clock;
  readonly #guardian: ThreadBlock;
  readonly #tell: (letter: DeadLetter) => number;

  /** @param tell tells the guardian, who tells the subscribers; 0 or a refusal */
  constructor(system: SharedArrayBuffer, block: ThreadBlock, clock: Clock, tell: (letter: DeadLetter) => number) {
    this.#block = block;
    this.#clock = clock;
    this.#guardian = new ThreadBlock(system, GUARDIAN_THREAD);
    this.#tell = tell;
  }

  lost(letter: Letter, reason: LostReason, cell: ActorCell): void {
    this.#block.counters.add(reason);
    if (this.#guardian.deadLetterListeners === 0) return;
    const { message } = letter;
    const result = this.#tell({
      to: letter.to,
      from: letter.from,
      actor: cell.name,
      protocol: cell.protocol.name,
      message: message.name,
      reason,
      timeMs: this.#clock.wallMs(),
    });
    if (result < 0) this.#block.counters.add('deadLettersUntold');
  }
}
