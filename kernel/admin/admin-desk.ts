/**
 * The guardian's part in administrative calls: a port for them comes from the application and is handed on
 * to the thread that shall answer them. Ports can only travel through ports; which thread each is for, an ask
 * on the control lane says, so that the application hears whether there is such a thread.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { PeerLink } from '../link.ts';
import { isItem, type PortItem } from '../thread-port.ts';

export class AdminDesk {
  readonly #fromApplication: MessagePort;
  /** Those that came and were not asked for yet, oldest first. */
  readonly #ports = new Map<number, MessagePort>();

  constructor(fromApplication: MessagePort) {
    this.#fromApplication = fromApplication;
  }

  /** The port of this number. Those before it were given up by whoever sent them, as asks come in order. */
  take(id: number): MessagePort | undefined {
    for (;;) {
      const received = receiveMessageOnPort(this.#fromApplication) as { message: PeerLink | PortItem } | undefined;
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
