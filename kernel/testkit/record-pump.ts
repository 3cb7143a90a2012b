/**
 * Moves records from what one thread has sent to what another finds, one at a time and when it is told to.
 *
 * Between real threads a record is there for its receiver as soon as it is published. To explore orders, a
 * record's arrival has to be a step of its own: so a test thread sends into a ring of its own, and the pump
 * copies record by record into the ring that its receiver reads. Both rings have the same capacity and get the
 * same lengths, so positions agree, by which the kernel knows what a dead thread had read. Order within the lane
 * stays, as in the ring itself.
 */
import { ABORT, SpscConsumer, SpscProducer } from 'atomics-ring-buffer';
import type { Address } from '../address.ts';
import { ENVELOPE_BYTES, FIRST_MESSAGE_KIND, SETTLED_KIND, readEnvelope } from '../envelope.ts';
import type { Lane } from '../lanes.ts';

/** A record on its way, as faults and traces see it. */
export interface RecordView {
  /** Names of the threads. */
  readonly from: string;
  readonly to: string;
  readonly lane: Lane;
  readonly kind: number;
  /** Address of the actor that it is for. */
  readonly address: Address;
  /** Number of the ask that it belongs to, or 0. */
  readonly correlation: number;
  /** Name of the message; undefined for answers and what the kernel sends itself, or if nobody is there to take it. */
  readonly message: string | undefined;
}

export type RecordDecision = 'pass' | 'drop' | 'duplicate' | 'hold';

export interface PumpRoute {
  /** Addresses of the actors that the threads are for. */
  readonly from: Address;
  readonly to: Address;
  readonly fromName: string;
  readonly toName: string;
  readonly lane: Lane;
  /** Name of the message of this kind for this address. */
  nameOf(address: Address, kind: number): string | undefined;
}

export class RecordPump {
  readonly route: PumpRoute;
  readonly key: string;
  readonly #source: SpscConsumer;
  readonly #target: SpscProducer;
  /** Nothing moves before; on the manual clock. */
  heldUntilMs = -Infinity;
  /** Where the receiver stood when its ring was found full. */
  #blockedAt: number | undefined;

  constructor(route: PumpRoute, source: SharedArrayBuffer, target: SharedArrayBuffer) {
    this.route = route;
    this.key = `${route.fromName}>${route.toName}.${route.lane}`;
    this.#source = new SpscConsumer(source);
    this.#target = new SpscProducer(target);
  }

  get hasRecord(): boolean {
    return this.#source.hasRecord;
  }

  /** Bytes that lie before their receiver. */
  get arrivedBytes(): number {
    return this.#target.levelBytes;
  }

  /** Whether a move would find a record and, as far as is known, room for it. */
  canMove(nowMs: number): boolean {
    return nowMs >= this.heldUntilMs && this.#source.hasRecord && this.#blockedAt !== this.#target.consumerPosition;
  }

  /**
   * Moves one record.
   * @param decide what becomes of it: a dropped one leaves a record behind that its receiver passes over
   * @returns whether one was moved
   */
  move(decide: (record: RecordView) => RecordDecision): boolean {
    const moved = this.#source.poll((kind, offset, length) => {
      const decision = kind === SETTLED_KIND ? 'pass' : decide(this.#viewOf(kind, offset, length));
      if (decision === 'hold' || !this.#copy(decision === 'drop' ? SETTLED_KIND : kind, offset, length)) return ABORT;
      if (decision === 'duplicate') this.#copy(kind, offset, length);
      return undefined;
    }, 1);
    return moved > 0;
  }

  /** The sender has died: what it had published is there. */
  flush(): void {
    this.heldUntilMs = -Infinity;
    while (this.move(() => 'pass'));
  }

  #copy(kind: number, offset: number, length: number): boolean {
    const place = this.#target.tryClaim(kind, length);
    if (place < 0) {
      this.#blockedAt = this.#target.consumerPosition;
      return false;
    }
    this.#blockedAt = undefined;
    this.#target.memory.u8.set(this.#source.memory.u8.subarray(offset, offset + length), place);
    this.#target.commit();
    return true;
  }

  #viewOf(kind: number, offset: number, length: number): RecordView {
    const { fromName, toName, lane, nameOf } = this.route;
    const known = length >= ENVELOPE_BYTES ? readEnvelope(this.#source.memory, offset) : undefined;
    const address = known?.to ?? 0;
    return {
      from: fromName,
      to: toName,
      lane,
      kind,
      address,
      correlation: known?.correlation ?? 0,
      message: kind >= FIRST_MESSAGE_KIND ? nameOf(address, kind) : undefined,
    };
  }
}
