/**
 * What comes through a thread's message port: memory and ports, which no lane can carry. A port is only
 * ever read with receiveMessageOnPort, so what lies in it is there also while no event loop turns.
 *
 * A thread is given its links, told by `linkReady`, and ports for administrative calls. The application is
 * also given what it takes to look at all threads: who they are, and the memory of every lane.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Address } from './address.ts';
import type { LinkBuffers, PeerLink } from './link.ts';

/** A thread of the system, as one needs to know it to look at it. */
export interface ThreadPlace {
  readonly id: number;
  readonly name: string;
  /** Of the actor that the thread is for. */
  readonly address: Address;
  /** What it shows of its actors; see board.ts. */
  readonly board: SharedArrayBuffer;
  /** Of the data lanes that lead to it; undefined if it is the default. */
  readonly highMarkBytes?: number;
}

/** What is no link. */
export type PortItem =
  /** To the guardian, and from it to the thread that the calls are for; see admin/admin-desk.ts. */
  | { readonly item: 'admin'; readonly id: number; readonly port: MessagePort }
  /** To the application. */
  | { readonly item: 'thread'; readonly place: ThreadPlace }
  | { readonly item: 'thread_gone'; readonly thread: number }
  | { readonly item: 'lanes'; readonly from: number; readonly to: number; readonly lanes: LinkBuffers };

export function sendItem(port: MessagePort, item: PortItem): void {
  port.postMessage(item, item.item === 'admin' ? [item.port] : []);
}

export function isItem(received: PeerLink | PortItem): received is PortItem {
  return 'item' in received;
}
