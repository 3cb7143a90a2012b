/**
 * The guardian's part in administrative calls: a port for them comes from the application and is handed on
 * to the thread that shall answer them. Ports can only travel through ports; which thread each is for, an ask
 * on the control lane says, so that the application hears whether there is such a thread.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { SpillwayError } from '../errors.ts';
import type { PeerLink } from '../link.ts';
import type { ThreadBoot } from '../thread-boot.ts';
import type { LinkedThread } from '../thread-links.ts';
import { isItem, sendItem, type PortItem } from '../thread-port.ts';
import type { ThreadRuntime } from '../thread-runtime.ts';

export class AdminDesk {
  readonly #runtime: ThreadRuntime;
  readonly #boot: ThreadBoot;
  readonly #serve: ((port: MessagePort) => void) | undefined;
  /** Those that came and were not asked for yet, oldest first. */
  readonly #ports = new Map<number, MessagePort>();

  /** @param serve answers the calls for the guardian's own thread */
  constructor(runtime: ThreadRuntime, boot: ThreadBoot, serve: ((port: MessagePort) => void) | undefined) {
    this.#runtime = runtime;
    this.#boot = boot;
    this.#serve = serve;
  }

  /**
   * Hands the port of this number to the thread, or serves it if it is for the guardian.
   * @throws SpillwayError `actor_unknown`, `thread_ended`, `admin_failed`
   */
  handOn(id: number, name: string, thread: LinkedThread | undefined): void {
    const port = this.#take(id);
    if (port === undefined) throw new SpillwayError('admin_failed', `The port for administrative calls to '${name}' has not come.`);
    if (name === this.#boot.name && this.#serve !== undefined) return this.#serve(port);
    if (thread?.alive === true && thread.port !== undefined) {
      sendItem(thread.port, { item: 'admin', id, port });
      this.#runtime.tell(thread.id, 'linkReady', {});
      return;
    }
    port.close();
    if (thread === undefined) throw new SpillwayError('actor_unknown', `There is no actor named '${name}'.`, { details: { name } });
    throw new SpillwayError('thread_ended', `The thread of '${name}' has ended; try again once it was started again.`);
  }

  /** The port of this number. Those before it were given up by whoever sent them, as asks come in order. */
  #take(id: number): MessagePort | undefined {
    for (;;) {
      const received: { message: PeerLink | PortItem } | undefined = receiveMessageOnPort(this.#boot.port);
      if (received === undefined) break;
      if (isItem(received.message) && received.message.item === 'admin') this.#ports.set(received.message.id, received.message.port);
    }
    for (const [early, port] of this.#ports) {
      if (early >= id) break;
      port.close();
      this.#ports.delete(early);
    }
    const port = this.#ports.get(id);
    this.#ports.delete(id);
    return port;
  }
}
