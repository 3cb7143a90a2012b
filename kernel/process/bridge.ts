/**
 * Stands for an actor that lives in a process: to all others it is the actor's thread. It owns the rings of its
 * links, shows its state, and ends when it ends; the work is done in the process, with which it exchanges
 * records over a socket pair.
 *
 *   launch ── HELLO in time, with the token ──► BOOT ──► relay, until the process has ended ──► exit
 *      │                                                    │
 *      └── says nothing, too much, something else ──────────┴──► SIGKILL, and the life has crashed with a code
 *
 * A bridge never ends before its process was waited for. Then it takes from the page which records the process
 * had taken, so that the next life is given all others and none of those.
 */
import { EventLoopWait, SharedWords, type SharedMemory } from 'atomics-ring-buffer';
import { timingSafeEqual } from 'node:crypto';
import { finished } from 'node:stream';
import { GUARDIAN_THREAD, KERNEL_SLOT, slotOf, threadOf } from '../address.ts';
import { Board, ENTRY_BYTES } from '../board.ts';
import { linksOf, type LinkPort } from '../caretaker.ts';
import { systemClock } from '../clock.ts';
import { readTo } from '../envelope.ts';
import { SpillwayError } from '../errors.ts';
import { kernelProtocol } from '../kernel-protocol.ts';
import { LANES } from '../lanes.ts';
import { attachSender, type PeerLink } from '../link.ts';
import { SANDBOX_FAILED } from '../sandbox/launcher-script.ts';
import { ThreadBlock, threadCapacity } from '../thread-block.ts';
import { describe } from '../worker.ts';
import { encodeBoot, encodeLink, imageOf, type LinkImage } from './boot-frame.ts';
import * as frames from './frames.ts';
import type { LaunchedProcess, ProcessEnd } from './launched-process.ts';
import { PageReader } from './life-page.ts';
import { OutputRelay } from './output-relay.ts';
import { PeerImages } from './peer-images.ts';
import type { CompleteProcessSpec } from './process-spec.ts';
import { ProcessWatch } from './process-watch.ts';
import { PROCESS_WORDS, type BridgeData, type BridgeReport } from './process-worker.ts';
import { checkRecord } from './record-rules.ts';
import { Relay } from './relay.ts';

/** Bytes that are taken from a process before it has said who it is. */
const HELLO_BYTES_MAX = 4_096;
/** How long what a dead process has written may take to arrive. */
const LAST_BYTES_MS = 1_000;
/** How often a lane is looked at whose reader tells nobody that it makes room. */
const PRESSED_MS = 1;
const STOP_KIND = kernelProtocol.message('stop').kind;
const LINK_READY_KIND = kernelProtocol.message('linkReady').kind;

/** With its spec checked and complete. */
export interface CompleteBridgeData extends BridgeData {
  readonly process: CompleteProcessSpec;
}

export class Bridge {
  readonly #data: CompleteBridgeData;
  readonly #launched: LaunchedProcess;
  readonly #spec: CompleteProcessSpec;
  readonly #exit: (exitCode: number, report?: BridgeReport) => void;
  readonly #block: ThreadBlock;
  readonly #board: Board;
  readonly #thread: number;
  readonly #pid: SharedWords<(typeof PROCESS_WORDS)[number]>;
  readonly #port: LinkPort;
  readonly #output: OutputRelay;
  /** In the order in which the process was given them. */
  readonly #links: PeerLink[] = [];
  #writer: frames.FrameWriter | undefined;
  #relay: Relay | undefined;
  #peers: PeerImages | undefined;
  readonly #page: PageReader;
  #watch: ProcessWatch | undefined;
  #received = 0;
  #isKnown = false;
  #isOver = false;
  #report: BridgeReport | undefined;

  /**
   * @param launched was started just now
   * @param page descriptor of its page
   * @param exit ends the thread
   */
  constructor(data: CompleteBridgeData, launched: LaunchedProcess, page: number, exit: (exitCode: number, report?: BridgeReport) => void) {
    const { boot } = data;
    this.#data = data;
    this.#launched = launched;
    this.#spec = data.process;
    this.#exit = exit;
    this.#thread = threadOf(boot.self);
    this.#block = new ThreadBlock(boot.system, this.#thread);
    this.#board = new Board(boot.board);
    this.#page = new PageReader(page, this.#block, this.#board, slotOf(boot.self));
    this.#pid = new SharedWords(data.words, 0, PROCESS_WORDS);
    // Administrative calls are for threads; whoever has opened this one is told that there is none.
    this.#port = linksOf(boot.port, (item) => item.item === 'admin' && item.port.close());
    this.#output = new OutputRelay(boot.name, () => systemClock.monotonicMs(), (text) => void process.stderr.write(text));
  }

  begin(): void {
    this.#block.state = 'starting';
    void this.#launched.ended.then((end) => this.#ended(end));
    const { pid } = this.#launched;
    if (pid === undefined) return;
    this.#pid.store('pid', pid);
    try {
      this.#attach(pid);
    } catch (error) {
      const code = error instanceof SpillwayError ? error.code : 'process_bridge_failed';
      this.fail(code, `The process could not be watched: ${describe(error).message}`);
    }
  }

  /** Ends the process at once. */
  kill(): void {
    this.fail('process_killed', 'Its process was ended because it was told to, or did not end in time.');
  }

  /** Ends the process, and says why. */
  fail(code: string, message: string): void {
    this.#report ??= { code, message };
    this.#launched.kill();
  }

  #attach(pid: number): void {
    const { output, input, stdout, stderr } = this.#launched;
    this.#output.follow(stdout, false);
    this.#output.follow(stderr, true);
    this.#writer = new frames.FrameWriter(input);
    this.#relay = new Relay(this.#writer);
    this.#peers = new PeerImages(this.#data.boot.system, this.#writer);
    const reader = new frames.FrameReader(frames.HELLO_LIMITS, (...frame) => this.#onFrame(reader, ...frame));
    this.#watch = new ProcessWatch(pid, this.#spec, () => systemClock.monotonicMs());
    output.on('data', (chunk) => this.#onBytes(reader, chunk));
    input.on('drain', () => this.#block.doorbell.ring());
    const late = setTimeout(() => {
      if (!this.#isKnown) this.fail('process_handshake_failed', `The process did not say who it is within ${this.#spec.handshakeMs} ms.`);
    }, this.#spec.handshakeMs);
    late.unref();
    setInterval(() => this.#look(), this.#spec.heartbeatMs);
  }

  #onBytes(reader: frames.FrameReader, chunk: Buffer): void {
    if (this.#report !== undefined) return;
    this.#watch!.heard();
    this.#received += chunk.length;
    try {
      if (!this.#isKnown && this.#received > HELLO_BYTES_MAX) throw new SpillwayError('process_handshake_failed', `The process sent more than ${HELLO_BYTES_MAX} bytes before it said who it is.`);
      reader.push(chunk);
      if (this.#isKnown) this.#relay!.pump();
    } catch (error) {
      const { message } = describe(error);
      const code = error instanceof SpillwayError ? error.code : 'process_protocol_violation';
      if (this.#isKnown) this.fail(code, `The process broke the protocol: ${message}`);
      else this.fail('process_handshake_failed', `The process did not say who it is: ${message}`);
    }
  }

  #onFrame(reader: frames.FrameReader, type: number, lane: number, thread: number, bytes: Buffer, offset: number, length: number): void {
    switch (type) {
      case frames.HELLO:
        this.#greet(bytes, offset, length);
        reader.limits = frames.PROCESS_LIMITS;
        return;
      case frames.RECORD:
        if (length >= 8) this.#peers!.sentTo(checkRecord(this.#thread, thread, bytes.readUInt32LE(offset), bytes, offset + 8, length - 8));
        return this.#relay!.record(lane, thread, bytes, offset, length);
      case frames.PART:
        return this.#relay!.part(lane, thread, bytes, offset, length);
      case frames.RELEASED:
        if (length !== 4) throw new SpillwayError('process_protocol_violation', `Expected a position of 4 bytes; got ${length}.`);
        return this.#relay!.released(lane, thread, bytes.readUInt32LE(offset));
      case frames.BOARD:
        return this.#onBoard(thread, bytes, offset, length);
      case frames.BEAT:
        this.#showPage();
    }
  }

  #greet(bytes: Buffer, offset: number, length: number): void {
    const version = length >= 4 ? bytes.readUInt32LE(offset) : 0;
    if (version !== frames.PROTOCOL_VERSION) throw new SpillwayError('process_handshake_failed', `Expected version ${frames.PROTOCOL_VERSION} of the protocol; got ${version}.`);
    const token = bytes.subarray(offset + 4, offset + length);
    const { token: given } = this.#launched;
    if (token.length !== given.length || !timingSafeEqual(token, given)) throw new SpillwayError('process_handshake_failed', 'Its token is not the one that it was given.');
    // It serves once, whoever has read it.
    given.fill(0);
    this.#isKnown = true;
    this.#boot();
    void this.#run();
  }

  #boot(): void {
    const { boot } = this.#data;
    const links = boot.links.map((link) => this.#add(link));
    const { places } = this.#block;
    this.#writer!.frame(
      frames.BOOT,
      this.#thread,
      encodeBoot({
        self: boot.self,
        incarnation: boot.incarnation,
        restarts: this.#block.restarts,
        name: boot.name,
        source: boot.source,
        native: boot.native,
        ...(boot.delivery === undefined ? {} : { delivery: boot.delivery }),
        logLevel: boot.logLevel,
        maxThreads: threadCapacity(boot.system),
        heartbeatMs: this.#spec.heartbeatMs,
        places,
        board: new Uint8Array(boot.board, 0, Math.max(places, 2) * ENTRY_BYTES).slice(),
        counters: this.#block.counterBytes.slice(),
        latencies: this.#block.latencyBytes.slice(),
        hand: this.#block.handBytes.slice(),
        links,
      }),
    );
    this.#peers!.tell();
  }

  #add(link: PeerLink): LinkImage {
    const thread = threadOf(link.peer);
    const producers = attachSender(link.outbound, new ThreadBlock(this.#data.boot.system, thread).doorbell);
    const relay = this.#relay!;
    relay.add(thread, link.inbound, producers, thread === GUARDIAN_THREAD ? { gate: (...record) => this.#mayPass(...record) } : {});
    this.#peers!.add(thread, link.board);
    this.#links.push(link);
    return imageOf(link);
  }

  /** Looks at what the guardian sends, just before it is handed on. @returns whether it may be now */
  #mayPass(kind: number, memory: SharedMemory, offset: number): boolean {
    if (slotOf(readTo(memory, offset)) !== KERNEL_SLOT) return true;
    // Here and not before the turn: one that comes in the middle of it would be handed on without its link.
    if (kind === LINK_READY_KIND) this.#takeLinks();
    // A thread that is told to stop finishes what waits in its lanes, so all of that goes first.
    return kind !== STOP_KIND || this.#relay!.hasSentData;
  }

  /** Relays what comes from the other threads, until the process has ended. */
  async #run(): Promise<void> {
    const relay = this.#relay!;
    const wait = new EventLoopWait(this.#block.doorbell);
    const hasWork = (): boolean => this.#isOver || relay.hasWork;
    while (!this.#isOver) {
      relay.pump();
      if (hasWork()) await new Promise((resolve) => setImmediate(resolve));
      else await wait.wait(hasWork, relay.isPressed ? PRESSED_MS : this.#spec.heartbeatMs);
    }
    wait.dispose();
  }

  /** The memory of a link lies in the port before the guardian says so. */
  #takeLinks(): void {
    for (let link = this.#port(); link !== undefined; link = this.#port()) {
      const thread = threadOf(link.peer);
      const isKnown = this.#links.findLast(({ peer }) => threadOf(peer) === thread)?.peer === link.peer;
      if (!isKnown) this.#writer!.frame(frames.LINK, this.#thread, encodeLink(this.#add(link)));
    }
  }

  #onBoard(thread: number, bytes: Buffer, offset: number, length: number): void {
    const at = length >= 4 ? bytes.readUInt32LE(offset) : 1;
    const isEntries = at % ENTRY_BYTES === 0 && (length - 4) % ENTRY_BYTES === 0 && at + length - 4 <= this.#data.boot.board.byteLength;
    if (thread !== this.#thread || !isEntries) throw new SpillwayError('process_protocol_violation', `Expected entries of its own board; got ${length - 4} bytes at ${at} of thread ${thread}.`);
    new Uint8Array(this.#data.boot.board, at, length - 4).set(bytes.subarray(offset + 4, offset + length));
  }

  /** From time to time: takes over what the process shows, and sees whether it keeps to its limits. */
  #look(): void {
    if (this.#isOver || this.#report !== undefined) return;
    const breach = this.#watch!.look(this.#isKnown);
    if (breach !== undefined) return this.fail(breach.code, breach.message);
    if (this.#page.isTooLong) return this.fail('process_protocol_violation', 'The process writes more to its page than there is room.');
    if (!this.#isKnown) return;
    this.#showPage();
    if (!this.#writer!.isBlocked) this.#peers!.tell();
    this.#writer!.flush();
  }

  /** @returns whether there is something on it */
  #showPage(): boolean {
    const isThere = this.#page.show(this.#links.length);
    if (isThere) this.#page.showLatencies();
    return isThere;
  }

  async #ended({ error, exitCode, signal }: ProcessEnd): Promise<void> {
    // It was waited for: its number may be another's from now on.
    this.#pid.store('pid', 0);
    if (error !== undefined) this.#report ??= { code: 'process_spawn_failed', message: `The process could not be started: ${error.message}` };
    else await this.#lastBytes();
    this.#report ??= this.#reportOf(exitCode, signal);
    this.#leave(exitCode === 0 && this.#report === undefined ? 0 : 1);
  }

  /** What it had written is still on its way; if it has not come to speak, that is why. */
  async #lastBytes(): Promise<void> {
    const { output, stderr } = this.#launched;
    const late = new Promise<void>((resolve) => void setTimeout(resolve, LAST_BYTES_MS));
    const ends = (this.#isKnown ? [output] : [output, stderr]).map((stream) => new Promise<void>((resolve) => void finished(stream, { writable: false }, () => resolve())));
    await Promise.race([late, Promise.all(ends)]);
  }

  #reportOf(exitCode: number | null, signal: string | null): BridgeReport | undefined {
    const { tail } = this.#output;
    const words = tail === '' ? '' : `; it wrote: ${tail}`;
    if (signal !== null) return { code: 'process_signalled', message: `its process was ended by ${signal}${words}` };
    if (exitCode === 0) return undefined;
    if (this.#isKnown) return { code: '', message: `its process ended with exit code ${exitCode}${words}` };
    if (this.#launched.isBoxed && exitCode === SANDBOX_FAILED) return { code: 'sandbox_failed', message: `its sandbox could not be built${words}` };
    return { code: 'process_handshake_failed', message: `its process ended with exit code ${exitCode}${words}` };
  }

  #leave(exitCode: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isKnown) this.#settle();
    this.#page.close();
    this.#exit(exitCode, this.#report);
  }

  /** What the process had taken is no matter of the next life. */
  #settle(): void {
    this.#relay!.close();
    if (!this.#showPage()) return;
    this.#links.forEach((link, index) => {
      const thread = threadOf(link.peer);
      // A former actor's in a place that is another's now.
      if (this.#links.findLast(({ peer }) => threadOf(peer) === thread) !== link) return;
      LANES.forEach((lane, number) => {
        const position = this.#page.position(index, number);
        try {
          if (position !== undefined) this.#relay!.sender(thread, lane)!.released(position);
        } catch {
          // A page that is no page says nothing.
        }
      });
    });
  }
}
