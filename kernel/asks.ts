/**
 * The asks of one thread. Each ends exactly once: by the answer, a failure that the handler threw, its
 * deadline, its cancellation, or the death of the thread it went to; and says in the failing cases
 * whether it may have been handled.
 */
import { CLOSED, TOO_LONG, resultName, type Codec, type Memory } from 'atomics-ring-buffer';
import type { AskOptions } from './actor-ref.ts';
import { formatAddress, type Address } from './address.ts';
import { CANCEL_KIND, FAILURE_KIND, NO_DEADLINE, type Envelope } from './envelope.ts';
import type { KernelErrorCode } from './error-codes.ts';
import { SpillwayError } from './errors.ts';
import { failureCodec, fromFailure } from './failure.ts';
import type { Lane } from './lanes.ts';
import type { Message } from './protocol.ts';
import type { Timer } from './timer-queue.ts';
import type { Transmitter } from './transmitter.ts';

/** How far a thread that died had read the lanes of one sender; see `peerDown` in kernel-protocol.ts. */
export interface ConsumedPositions {
  readonly control: number;
  readonly data: number;
}

/** What the asks need of their thread. */
export interface AskHost {
  readonly transmitter: Transmitter;
  nowMs(): number;
  after(delayMs: number, run: () => void): Timer;
  /** An envelope from this thread. */
  envelope(to: Address, correlation: number, deadlineMs: number): Envelope;
}

interface PendingAsk {
  readonly to: Address;
  readonly lane: Lane;
  /** Position behind the ask's record in its lane, modulo 2^32. */
  readonly endPosition: number;
  readonly label: string;
  readonly replyCodec: Codec<unknown> | undefined;
  readonly timer: Timer;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Takes the ask's listener off the caller's AbortSignal. */
  readonly unlisten: () => void;
}

export class Asks {
  readonly #host: AskHost;
  readonly #pending = new Map<number, PendingAsk>();
  #lastCorrelation = 0;
  #closed = false;

  constructor(host: AskHost) {
    this.#host = host;
  }

  /** @throws what the codec throws when the request does not fit its schema; nothing is sent then */
  ask(to: Address, label: string, message: Message, request: unknown, options: AskOptions): Promise<unknown> {
    const { deadlineMs, signal } = options;
    if (!(deadlineMs > 0 && deadlineMs < Infinity)) {
      throw new TypeError(`An ask needs a finite deadlineMs above zero, since no ask waits forever; got ${deadlineMs}.`);
    }
    const correlation = this.#nextCorrelation();
    const refusal = this.#trySend(to, correlation, message, request, options);
    if (refusal !== undefined) {
      const [code, reason] = refusal;
      return Promise.reject(failure(code, label, to, reason, false));
    }
    const abandon = (code: KernelErrorCode, reason: string): void => {
      if (this.#fail(correlation, code, reason, true)) this.#sendCancel(to, correlation);
    };
    const onAbort = (): void => abandon('ask_cancelled', 'cancelled by the caller.');
    signal?.addEventListener('abort', onAbort, { once: true });
    return new Promise((resolve, reject) => {
      this.#pending.set(correlation, {
        to,
        lane: message.lane,
        endPosition: this.#host.transmitter.position(to, message.lane),
        label,
        replyCodec: message.reply,
        timer: this.#host.after(deadlineMs, () => abandon('ask_deadline', `no answer within ${deadlineMs} ms.`)),
        resolve,
        reject,
        unlisten: () => signal?.removeEventListener('abort', onAbort),
      });
    });
  }

  /** Takes in an answer. @returns false if no pending ask expects it */
  settle(kind: number, correlation: number, memory: Memory, offset: number, length: number): boolean {
    const ask = this.#take(correlation);
    if (ask === undefined) return false;
    try {
      if (kind === FAILURE_KIND) ask.reject(fromFailure(failureCodec.decode(memory, offset, length)));
      else ask.resolve(ask.replyCodec?.decode(memory, offset, length));
    } catch (error) {
      ask.reject(new SpillwayError('message_invalid', `Undecodable answer to ${ask.label}.`, { cause: error }));
    }
    return true;
  }

  /**
   * Ends the asks that the actor's thread had taken when it died. Those still in its lanes stay pending if it
   * will be started again, because its next life finds them there.
   */
  peerDown(peer: Address, final: boolean, consumed: ConsumedPositions): void {
    for (const [correlation, ask] of this.#pending) {
      if (ask.to !== peer) continue;
      const readTo = ask.lane === 'control' ? consumed.control : consumed.data;
      // Positions wrap at 2^32; their difference as a signed number says which one is behind.
      const taken = ((readTo - ask.endPosition) | 0) >= 0;
      if (final) this.#fail(correlation, 'actor_stopped', 'the actor has stopped.', taken);
      else if (taken) this.#fail(correlation, 'actor_restarted', 'the actor failed while it had the message.', true);
    }
  }

  /** Ends all asks and refuses new ones. */
  close(): void {
    this.#closed = true;
    for (const correlation of this.#pending.keys()) {
      this.#fail(correlation, 'actor_stopped', 'the system is closed.', true);
    }
  }

  /** @returns undefined when sent, else why not */
  #trySend(
    to: Address,
    correlation: number,
    message: Message,
    request: unknown,
    { deadlineMs, signal }: AskOptions,
  ): [code: KernelErrorCode, reason: string] | undefined {
    if (signal?.aborted === true) return ['ask_cancelled', 'cancelled before it was sent.'];
    if (this.#closed) return ['actor_stopped', 'the system is closed.'];
    const envelope = this.#host.envelope(to, correlation, this.#host.nowMs() + deadlineMs);
    const result = this.#host.transmitter.send(message.lane, message.kind, envelope, message.request, request);
    if (result >= 0) return undefined;
    if (result === CLOSED) return ['actor_stopped', 'the actor has stopped.'];
    if (result === TOO_LONG) return ['message_too_large', 'it is longer than the lane takes; send it in parts.'];
    return ['ask_refused', `the ${message.lane} lane answered ${resultName(result)}; try again later.`];
  }

  #sendCancel(to: Address, correlation: number): void {
    // A refused cancel is no loss: the actor then does work whose answer nobody takes.
    this.#host.transmitter.send('control', CANCEL_KIND, this.#host.envelope(to, correlation, NO_DEADLINE));
  }

  /** A number that no pending ask has; never 0, which means "no answer expected". */
  #nextCorrelation(): number {
    do {
      this.#lastCorrelation = (this.#lastCorrelation + 1) >>> 0;
    } while (this.#lastCorrelation === 0 || this.#pending.has(this.#lastCorrelation));
    return this.#lastCorrelation;
  }

  /** Removes the ask, so that whatever else would end it finds nothing. */
  #take(correlation: number): PendingAsk | undefined {
    const ask = this.#pending.get(correlation);
    if (ask === undefined) return undefined;
    this.#pending.delete(correlation);
    ask.timer.cancel();
    ask.unlisten();
    return ask;
  }

  #fail(correlation: number, code: KernelErrorCode, reason: string, mayHaveBeenHandled: boolean): boolean {
    const ask = this.#take(correlation);
    ask?.reject(failure(code, ask.label, ask.to, reason, mayHaveBeenHandled));
    return ask !== undefined;
  }
}

function failure(
  code: KernelErrorCode,
  label: string,
  to: Address,
  reason: string,
  mayHaveBeenHandled: boolean,
): SpillwayError<KernelErrorCode> {
  return new SpillwayError(code, `${label} to ${formatAddress(to)}: ${reason}`, { details: { mayHaveBeenHandled } });
}
