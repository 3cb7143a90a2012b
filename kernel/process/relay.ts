/**
 * Both directions of all links of a thread, at either end of the socket: in its bridge, and in its process.
 *
 *   bridge    rings of the system ──► LaneSender ══ socket ══► LaneReceiver ──► images      process
 *             rings of the system ◄── LaneReceiver ◄═ socket ═ LaneSender   ◄── images
 *
 * In each turn control goes first and whole, then data up to a bound, then telemetry up to a smaller one. What
 * the socket does not take at once holds all up, but never for long, since the other side always has room for
 * what it is sent; and then it is control again that goes first.
 */
import { SpillwayError } from '../errors.ts';
import { LANES, type Lane } from '../lanes.ts';
import { eachLane, type LinkBuffers, type LinkSender } from '../link.ts';
import { RELEASED, type FrameWriter } from './frames.ts';
import { LaneReceiver } from './lane-receiver.ts';
import { LaneSender, type Gate } from './lane-sender.ts';

/** Bytes of the lanes of all links in one turn. */
const CONTROL_BYTES = 1024 * 1024;
const DATA_BYTES = 64 * 1024;
const TELEMETRY_BYTES = 16 * 1024;
type Lanes<End> = Readonly<Record<Lane, End>>;

interface RelayedLink {
  readonly thread: number;
  readonly senders: Lanes<LaneSender>;
  readonly receivers: Lanes<LaneReceiver>;
}

export class Relay {
  readonly #writer: FrameWriter;
  readonly #byThread = new Map<number, RelayedLink>();
  #links: RelayedLink[] = [];
  #turn = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /**
   * @param rings whose records go to the other side
   * @param producers of the rings into which records from there go
   * @param options `taken`: of the rings over there; see LaneSender. `gate`: of the control lane
   */
  add(thread: number, rings: LinkBuffers, producers: LinkSender, { taken, gate }: { readonly taken?: (lane: Lane) => number; readonly gate?: Gate | undefined } = {}): void {
    const link: RelayedLink = {
      thread,
      senders: eachLane((lane) => new LaneSender(rings[lane], lane, thread, { taken: taken?.(lane), gate: lane === 'control' ? gate : undefined })),
      receivers: eachLane((lane) => new LaneReceiver(producers[lane])),
    };
    // The place of a thread that has gone may be another's now, and nothing comes from the former one any more.
    const former = this.#byThread.get(thread);
    for (const lane of LANES) former?.receivers[lane].close();
    this.#byThread.set(thread, link);
    this.#links = [...this.#byThread.values()];
  }

  /** Whether there is something to send now. */
  get hasWork(): boolean {
    if (this.#writer.isBlocked) return false;
    for (const { senders } of this.#links) if (senders.control.hasMore || senders.data.hasMore || senders.telemetry.hasMore) return true;
    return false;
  }

  /** Whether all data that have come were sent. */
  get hasSentData(): boolean {
    return !this.#links.some(({ senders }) => senders.data.hasMore);
  }

  /** Whether the other side may wait for room here, of which nobody tells. */
  get isPressed(): boolean {
    return this.#links.some(({ receivers }) => receivers.control.isPressed || receivers.data.isPressed || receivers.telemetry.isPressed);
  }

  sender(thread: number, lane: Lane): LaneSender | undefined {
    return this.#byThread.get(thread)?.senders[lane];
  }

  /** Sends a turn's worth, and says what was taken here. */
  pump(): void {
    const writer = this.#writer;
    // Before the answers: who is answered may count on the room that his ask has taken.
    for (const { thread, receivers } of this.#links) {
      for (let lane = 0; lane < LANES.length; lane++) {
        const position = receivers[LANES[lane]!].unreported;
        if (position !== undefined) writer.word(RELEASED, lane, thread, position);
      }
    }
    if (!writer.isBlocked) {
      this.#send('control', CONTROL_BYTES);
      this.#send('data', DATA_BYTES);
      this.#send('telemetry', TELEMETRY_BYTES);
    }
    writer.flush();
  }

  /** A frame RECORD has come. @throws SpillwayError `process_protocol_violation` */
  record(lane: number, thread: number, bytes: Buffer, offset: number, length: number): void {
    if (length < 8) throw violation(`a record of thread ${thread}`, `${length} bytes`);
    const kind = bytes.readUInt32LE(offset);
    this.#receiver(lane, thread).begin(kind, bytes.readUInt32LE(offset + 4), bytes.subarray(offset + 8, offset + length));
  }

  part(lane: number, thread: number, bytes: Buffer, offset: number, length: number): void {
    this.#receiver(lane, thread).part(bytes.subarray(offset, offset + length));
  }

  released(lane: number, thread: number, position: number): void {
    this.#linkTo(lane, thread).senders[LANES[lane]!].released(position);
  }

  /** Nothing more comes. */
  close(): void {
    for (const { receivers } of this.#links) for (const lane of LANES) receivers[lane].close();
  }

  #send(lane: Lane, budgetBytes: number): void {
    const links = this.#links;
    let left = budgetBytes;
    for (let step = 0; step < links.length && left > 0; step++) {
      left -= links[(this.#turn + step) % links.length]!.senders[lane].send(this.#writer, left);
    }
    // Whoever was first is last in the next turn.
    if (lane === 'data') this.#turn = links.length === 0 ? 0 : (this.#turn + 1) % links.length;
  }

  #receiver(lane: number, thread: number): LaneReceiver {
    return this.#linkTo(lane, thread).receivers[LANES[lane]!];
  }

  #linkTo(lane: number, thread: number): RelayedLink {
    const link = lane < LANES.length ? this.#byThread.get(thread) : undefined;
    if (link === undefined) throw violation('a lane of a link', `lane ${lane} of thread ${thread}`);
    return link;
  }
}

function violation(expected: string, got: string): SpillwayError {
  return new SpillwayError('process_protocol_violation', `Expected ${expected}; got ${got}.`);
}
