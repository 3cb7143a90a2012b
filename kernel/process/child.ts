/**
 * An actor's process at its end of the socket: takes frames apart, keeps the images of links and boards, and gives
 * all else to the life that it leads; see process-life.ts.
 */
import type { Socket } from 'node:net';
import { threadOf } from '../address.ts';
import type { PeerLink } from '../link.ts';
import { decodeBoot, decodeLink, linkFrom, type LinkImage, type ProcessBoot } from './boot-frame.ts';
import * as frames from './frames.ts';
import { ProcessLife } from './process-life.ts';
import { Relay } from './relay.ts';

export class Child {
  readonly #socket: Socket;
  readonly #writer: frames.FrameWriter;
  readonly #reader: frames.FrameReader;
  readonly #relay: Relay;
  /** Links that have come and were not taken up yet. */
  readonly #newLinks: PeerLink[] = [];
  /** Boards of other threads, as far as they are known here. */
  readonly #boards = new Map<number, Uint8Array>();
  #life: ProcessLife | undefined;

  constructor(socket: Socket, writer: frames.FrameWriter) {
    this.#socket = socket;
    this.#writer = writer;
    this.#relay = new Relay(writer);
    socket.on('drain', () => this.#life?.onDrain());
    this.#reader = new frames.FrameReader(frames.BRIDGE_LIMITS, (...frame) => this.#onFrame(...frame));
  }

  onBytes(chunk: Buffer): void {
    this.#reader.push(chunk);
    this.#life?.onRecords();
  }

  #onFrame(type: number, lane: number, thread: number, bytes: Buffer, offset: number, length: number): void {
    switch (type) {
      case frames.BOOT:
        return this.#begin(decodeBoot(Uint8Array.from(bytes.subarray(offset, offset + length))));
      case frames.LINK:
        this.#newLinks.push(this.#link(decodeLink(bytes.subarray(offset, offset + length))));
        return this.#life?.takeLinks();
      case frames.RECORD:
        return this.#relay.record(lane, thread, bytes, offset, length);
      case frames.PART:
        return this.#relay.part(lane, thread, bytes, offset, length);
      case frames.RELEASED:
        return this.#relay.released(lane, thread, bytes.readUInt32LE(offset));
      case frames.BOARD:
        this.#boards.get(thread)?.set(bytes.subarray(offset + 4, offset + length), bytes.readUInt32LE(offset));
        return;
      case frames.PEER:
        return this.#life?.onPeer(thread, bytes.readUInt32LE(offset), bytes.readUInt32LE(offset + 4));
    }
  }

  #begin(boot: ProcessBoot): void {
    const life = new ProcessLife(boot, {
      socket: this.#socket,
      writer: this.#writer,
      relay: this.#relay,
      nextLink: () => this.#newLinks.shift(),
    });
    this.#life = life;
    life.begin(boot, boot.links.map((image) => this.#link(image)));
  }

  #link(image: LinkImage): PeerLink {
    const link = linkFrom(image);
    const thread = threadOf(link.peer);
    this.#boards.set(thread, new Uint8Array(link.board));
    this.#life!.addLink(image, link);
    return link;
  }
}
