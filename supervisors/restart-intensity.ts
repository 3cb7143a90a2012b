/**
 * OTP's restart intensity: a supervisor permits at most `intensity` restarts within any `periodMs`.
 *
 * The window slides: on each restart, older ones than the period are forgotten, the new one is added,
 * and the restart is permitted if no more than `intensity` remain. As in OTP's `supervisor:add_restart`.
 */
export class RestartIntensity {
  readonly #intensity: number;
  readonly #periodMs: number;
  readonly #restartsMs: number[] = [];

  constructor(intensity: number, periodMs: number) {
    this.#intensity = intensity;
    this.#periodMs = periodMs;
  }

  /** Counts a restart at `nowMs` (monotonic). @returns whether it is permitted */
  permits(nowMs: number): boolean {
    this.#forget(nowMs);
    this.#restartsMs.push(nowMs);
    return this.#restartsMs.length <= this.#intensity;
  }

  /** Restarts within the period that ends at `nowMs`. */
  count(nowMs: number): number {
    this.#forget(nowMs);
    return this.#restartsMs.length;
  }

  /** From the front, where the oldest are: a supervisor may permit a great many. */
  #forget(nowMs: number): void {
    const first = this.#restartsMs.findIndex((atMs) => atMs >= nowMs - this.#periodMs);
    this.#restartsMs.splice(0, first < 0 ? this.#restartsMs.length : first);
  }
}
