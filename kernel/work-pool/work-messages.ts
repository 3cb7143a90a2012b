/** What a work pool and its workers say to each other, and what a work function is. */

/** What a work function is given beside its input. */
export interface WorkContext {
  /**
   * Whether nobody waits for the result any more: the task was cancelled or its deadline has passed. A
   * function that runs long looks at it between its steps and returns early; what it returns then is dropped.
   * One load of shared memory, so it may be asked often.
   */
  isCancelled(): boolean;
}

/** A stateless function: its result depends on its input alone, and both can be copied between threads. */
export type WorkFunction = (input: never, context: WorkContext) => unknown;

/** What every worker of a pool is started with. */
export interface WorkerSetup {
  readonly module: string;
  readonly places: SharedArrayBuffer;
}

export interface WorkRequest {
  readonly place: number;
  readonly name: string;
  readonly input: unknown;
}

/** What is left of an error on its way between threads. Texts only: an error may hold what cannot be copied. */
export interface WorkError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** As Node's and Spillway's errors carry it; empty if there is none. */
  readonly code: string;
}

export type WorkAnswer =
  | { readonly outcome: 'done'; readonly value: unknown }
  | { readonly outcome: 'threw'; readonly error: WorkError }
  /** The module has no such function. */
  | { readonly outcome: 'unknown'; readonly known: readonly string[] }
  /** The task had been given up before it began. */
  | { readonly outcome: 'skipped' };
