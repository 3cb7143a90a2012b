/**
 * The asks of one thread. Each ends exactly once: by the answer, a failure that the handler threw, its
 * deadline, its cancellation, or the end of the actor it went to; and says in the failing cases whether
 * it may have been handled. An ask with a streaming answer is one whose items come before its end.
 */
import { CLOSED, TOO_LONG, resultName, type Codec, type Memory } from 'atomics-ring-buffer';
import type { AskOptions } from './actor-ref.ts';
import { formatAddress, isSpawned, slotOf, threadOf, KERNEL_SLOT, type Address } from './address.ts';
import { FAILURE_KIND, follows, type Envelope } from './envelope.ts';
import type { KernelErrorCode } from './error-codes.ts';
import { SpillwayError } from './errors.ts';
import { failureCodec, fromFailure, type Failure } from './failure.ts';
import type { IncomingStream } from './incoming-stream.ts';
import type { Lane } from './lanes.ts';
import type { Letter } from './letter.ts';
import type { Message } from './protocol.ts';
import type { Timer } from './time/timer-wheel.ts';

/** How far a thread that died had read the lanes of one sender; see `peerDown` in kernel-protocol.ts. */
export interface ConsumedPositions {
  readonly control: number;
  readonly data: number;
}

/** What the asks need of their thread. */
export interface AskHost {
  nowMs(): number;
  after(delayMs: number, run: () => void): Timer;
  /** A message from this thread. */
  letter(message: Message, request: unknown, from: Address, to: Address, correlation: number, dueMs: number | undefined, scopeId: number): Letter;
  /** Sends it to its actor, on this thread or another. @returns 0 or a refusal; throws what the codec throws */
  post(letter: Letter): number;
  /** Position behind the last record sent to this thread on this lane, modulo 2^32. */
  position(to: Address, lane: Lane): number;
  /** Tells the actor that nobody waits any more. */
  sendCancel(envelope: Envelope): void;
}

interface PendingAsk {
  /** Who answers it at present. */
  to: Address;
  /** Who was asked; it may have handed the ask on. */
  readonly asked: Address;
  /** To whom it was handed on, by whom. */
  handedOn: Map<Address, Address> | undefined;
  readonly lane: Lane;
  /** Position behind the ask's record in its lane, modulo 2^32; undefined once it was forwarded. */
  endPosition: number | undefined;
  readonly label: string;
  readonly message: Message;
  timer: Timer;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Takes the ask's listener off the caller's AbortSignal or scope. */
  readonly unlisten: (() => void) | undefined;
  readonly stream: IncomingStream | undefined;
}

export class Asks {
  readonly #host: AskHost;
  readonly #pending = new Map<number, PendingAsk>();
  /** Those with a streaming answer: who asked, and how to end it. */
  readonly #streams = new Map<number, { readonly from: Address; cancel(): void }>();
  #lastCorrelation = 0;
  #closed = false;

  constructor(host: AskHost) {
    this.#host = host;
  }

  /** Asks that have not ended. */
  get size(): number {
    return this.#pending.size;
  }

  /**
   * @param stream takes in the items of a streaming answer
   * @throws what the codec throws when the request does not fit its schema; nothing is sent then
   */
  ask(from: Address, to: Address, label: string, message: Message, request: unknown, options: AskOptions, stream?: IncomingStream): Promise<unknown> {
    const { deadlineMs, scope } = options;
    assertDeadline(deadlineMs);
    const correlation = this.#nextCorrelation();
    const letter = this.#host.letter(message, request, from, to, correlation, this.#host.nowMs() + deadlineMs, scope?.id ?? 0);
    const refusal = this.#trySend(letter, options.signal?.aborted === true || scope?.cancelled === true);
    if (refusal !== undefined) {
      const [code, reason] = refusal;
      return Promise.reject(failure(code, label, to, reason, false));
    }
    const abandon = (code: KernelErrorCode, reason: string): void => {
      const to = this.#pending.get(correlation)?.to;
      if (to === undefined) return;
      this.#fail(correlation, code, reason, true);
      this.#host.sendCancel({ ...follows(letter), to });
    };
    const unlisten = listen(options, () => abandon('ask_cancelled', 'cancelled by the caller.'));
    return new Promise((resolve, reject) => {
      const overdue = (): void => abandon('ask_deadline', `no ${stream === undefined ? 'answer' : 'item'} within ${deadlineMs} ms.`);
      const ask: PendingAsk = {
        to,
        asked: to,
        handedOn: undefined,
        lane: message.lane,
        endPosition: this.#host.position(to, message.lane),
        label,
        message,
        timer: this.#host.after(deadlineMs, overdue),
        resolve,
        reject,
        unlisten,
        stream,
      };
      stream?.opened({
        // The deadline of a stream is that of its next item.
        expectItem: (expected) => {
          ask.timer.cancel();
          if (expected) ask.timer = this.#host.after(deadlineMs, overdue);
        },
        target: () => ({ ...follows(letter), to: ask.to }),
        cancel: () => abandon('ask_cancelled', 'cancelled by the caller.'),
      });
      this.#pending.set(correlation, ask);
      if (stream !== undefined) this.#streams.set(correlation, { from, cancel: () => abandon('ask_cancelled', 'its asker has ended.') });
    });
  }

  /** Takes in an answer. @returns false if no pending ask expects it */
  settle(kind: number, { from, correlation }: Envelope, memory: Memory, offset: number, length: number): boolean {
    const ask = this.#take(correlation);
    if (ask === undefined) return false;
    try {
      if (kind === FAILURE_KIND) ask.reject(failureFrom(ask, from, failureCodec.decode(memory, offset, length)));
      else ask.resolve(ask.stream === undefined ? ask.message.reply?.decode(memory, offset, length) : undefined);
    } catch (error) {
      ask.reject(new SpillwayError('message_invalid', `Undecodable answer to ${ask.label}.`, { cause: error }));
    }
    return true;
  }

  /** An answer from this thread itself. @returns false if no pending ask expects it */
  settleHere({ correlation }: Envelope, value: unknown): boolean {
    const ask = this.#take(correlation);
    ask?.resolve(value);
    return ask !== undefined;
  }

  /** A failure from this thread itself. */
  failHere({ to, correlation }: Envelope, cause: Failure): void {
    const ask = this.#take(correlation);
    ask?.reject(failureFrom(ask, to, cause));
  }

  /** Takes in an item of a streaming answer. @param from who gives it @returns false if no pending ask expects it */
  item(from: Address, correlation: number, read: (codec: Codec<unknown>) => unknown): boolean {
    const ask = this.#pending.get(correlation);
    if (ask?.stream === undefined || ask.message.item === undefined) return false;
    if (ask.to !== from) this.forwarded(correlation, ask.to, from);
    ask.stream.push(read(ask.message.item));
    return true;
  }

  /** Whoever asked has ended. Its streams would go on without an end, since a deadline runs only while an item is waited for. */
  askerEnded(from: Address): void {
    for (const stream of this.#streams.values()) if (stream.from === from) stream.cancel();
  }

  /** The ask was handed on by `from` to another actor, which will answer it. Of several such notices a later one may come first. */
  forwarded(correlation: number, from: Address, to: Address): boolean {
    const ask = this.#pending.get(correlation);
    if (ask === undefined) return false;
    ask.endPosition = undefined;
    const handedOn = (ask.handedOn ??= new Map<Address, Address>()).set(from, to);
    for (let next = handedOn.get(ask.to); next !== undefined; next = handedOn.get(ask.to)) {
      handedOn.delete(ask.to);
      ask.to = next;
    }
    return true;
  }

  /** There is no way to whom the ask was handed on, and so nobody who would answer it. */
  unreachable(correlation: number, to: Address): void {
    if (this.#pending.get(correlation)?.to === to) this.#fail(correlation, 'actor_stopped', 'the actor has stopped.', true);
  }

  /**
   * Ends the asks that the actor's thread had taken when it died. Those still in its lanes stay pending if it
   * will be started again, because its next life finds them there.
   */
  peerDown(peer: Address, final: boolean, consumed: ConsumedPositions): void {
    for (const [correlation, ask] of this.#pending) {
      if (threadOf(ask.to) !== threadOf(peer)) continue;
      const slot = slotOf(ask.to);
      const wasSpawned = isSpawned(slot);
      if (ask.to !== peer && !wasSpawned && slot !== KERNEL_SLOT) continue;
      const readTo = ask.lane === 'control' ? consumed.control : consumed.data;
      // Positions wrap at 2^32; their difference as a signed number says which one is behind. One that was
      // forwarded may be anywhere.
      const taken = ask.endPosition === undefined || ((readTo - ask.endPosition) | 0) >= 0;
      if (final || (wasSpawned && taken)) this.#fail(correlation, 'actor_stopped', 'the actor has stopped.', taken);
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
    letter: Letter,
    isCancelled: boolean,
  ): [code: KernelErrorCode, reason: string] | undefined {
    if (isCancelled) return ['ask_cancelled', 'cancelled before it was sent.'];
    if (this.#closed) return ['actor_stopped', 'the system is closed.'];
    const result = this.#host.post(letter);
    if (result >= 0) return undefined;
    if (result === CLOSED) return ['actor_stopped', 'the actor has stopped.'];
    if (result === TOO_LONG) return ['message_too_large', 'it is longer than the lane takes; send it in parts.'];
    return ['ask_refused', `the ${letter.lane} lane answered ${resultName(result)}; try again later.`];
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
    if (ask.stream !== undefined) this.#streams.delete(correlation);
    ask.timer.cancel();
    ask.unlisten?.();
    return ask;
  }

  #fail(correlation: number, code: KernelErrorCode, reason: string, mayHaveBeenHandled: boolean): boolean {
    const ask = this.#take(correlation);
    ask?.reject(failure(code, ask.label, ask.to, reason, mayHaveBeenHandled));
    return ask !== undefined;
  }
}

/** Whoever handed an ask on had begun it, even if the one that it was handed to had not. */
function failureFrom({ asked }: PendingAsk, from: Address, cause: unknown): SpillwayError {
  const failed = fromFailure(cause);
  if (from === asked) return failed;
  return new SpillwayError(failed.code, failed.message, { details: { ...failed.details, mayHaveBeenHandled: true } });
}

/** Hears of the abort of the caller's signal and of the cancel of its scope. @returns takes the listeners off */
function listen({ signal, scope }: AskOptions, onAbort: () => void): (() => void) | undefined {
  if (signal === undefined && scope === undefined) return undefined;
  signal?.addEventListener('abort', onAbort, { once: true });
  const unlistenScope = scope?.onCancel(onAbort);
  return () => {
    signal?.removeEventListener('abort', onAbort);
    unlistenScope?.();
  };
}

/** No wait is forever. */
export function assertDeadline(deadlineMs: number): void {
  if (deadlineMs > 0 && deadlineMs < Infinity) return;
  throw new TypeError(`An ask needs a finite deadlineMs above zero, since no ask waits forever; got ${deadlineMs}.`);
}

export function failure(
  code: KernelErrorCode,
  label: string,
  to: Address,
  reason: string,
  mayHaveBeenHandled: boolean,
): SpillwayError<KernelErrorCode> {
  return new SpillwayError(code, `${label} to ${formatAddress(to)}: ${reason}`, { details: { mayHaveBeenHandled } });
}
