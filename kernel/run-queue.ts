/**
 * Which of a thread's actors handles a message from its own queues next. Control before data before telemetry; actors
 * take turns of THROUGHPUT data messages each, as in Pekko's dispatchers, so that one with a full mailbox does not keep
 * its neighbours waiting.
 */
import Denque from 'denque';
import type { ActorCell } from './actor-cell.ts';
import type { Letter } from './letter.ts';

/** Data messages that an actor handles before it is another one's turn. */
const THROUGHPUT = 32;

export class RunQueue {
  readonly #data = new Denque<ActorCell>();
  readonly #control = new Denque<ActorCell>();
  readonly #telemetry = new Denque<ActorCell>();

  /** An actor may have something to do: a message came, or it is idle again. */
  schedule(cell: ActorCell): void {
    if (cell.isScheduled || !cell.takesData || !cell.hasData) return;
    cell.isScheduled = true;
    cell.turn = 0;
    this.#data.push(cell);
  }

  /** An actor has another control message; called anew for those that had come before it had started. */
  scheduleControl(cell: ActorCell): void {
    this.#control.push(cell);
  }

  /** An actor may have telemetry to handle: some came, or it is idle again. */
  scheduleTelemetry(cell: ActorCell): void {
    if (cell.isTelemetryScheduled || !cell.takesData || !cell.hasTelemetry) return;
    cell.isTelemetryScheduled = true;
    this.#telemetry.push(cell);
  }

  get hasWork(): boolean {
    return this.#control.length > 0 || this.#data.length > 0 || this.#telemetry.length > 0;
  }

  /** The next control message of an actor that takes it. */
  nextControl(): [ActorCell, Letter] | undefined {
    while (this.#control.length > 0) {
      const cell = this.#control.shift()!;
      const letter = cell.state === 'running' ? cell.takeControl() : undefined;
      if (letter !== undefined) return [cell, letter];
    }
    return undefined;
  }

  /** The actor whose turn it is; it takes data and has some. Call `taken` once it has taken a message. */
  nextData(): ActorCell | undefined {
    for (;;) {
      const cell = this.#data.peekFront();
      if (cell === undefined || (cell.takesData && cell.hasData)) return cell;
      this.#data.shift();
      cell.isScheduled = false;
    }
  }

  /** The next telemetry message of an actor that takes it; the actors take turns. */
  nextTelemetry(): [ActorCell, Letter] | undefined {
    while (this.#telemetry.length > 0) {
      const cell = this.#telemetry.shift()!;
      cell.isTelemetryScheduled = false;
      const letter = cell.takesData ? cell.takeTelemetry() : undefined;
      if (letter === undefined) continue;
      this.scheduleTelemetry(cell);
      return [cell, letter];
    }
    return undefined;
  }

  /** The first actor has taken a message of its turn. */
  taken(cell: ActorCell): void {
    if (++cell.turn < THROUGHPUT) return;
    this.#data.shift();
    cell.isScheduled = false;
    this.schedule(cell);
  }
}
