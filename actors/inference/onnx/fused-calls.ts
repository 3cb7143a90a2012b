/**
 * Takes a batch of texts through the model in native calls of several texts of like length.
 *
 * Texts are tokenized in windows, sorted by length and computed in the calls of batch-plan.ts. Cancel and deadline are
 * asked before a text is tokenized and again before its call. While urgent texts keep coming, calls have one text
 * each, so that the next urgent one waits for a text and not for a whole call of them: fusing is for throughput, and
 * whoever sends urgent texts has said what matters more.
 */
import type { EmbedControl, TextOutcome, TextStatus } from '../backend.ts';
import { untouched, unwanted } from '../text-admission.ts';
import { ONE_BY_ONE, callEnd, type FusionLimits } from './batch-plan.ts';
import type { NativeOutput, NativeSession, TokenRow } from './native-session.ts';
import { TurnQueue, type HandOver } from './turn-queue.ts';

/** So many texts are sorted at once: with more, the lengths hardly lie closer together. */
const WINDOW_TEXTS = 1_024;
/** Tokenizing is synchronous: after so many tokens (about a millisecond) others have their turn. Each text counts for some more. */
const TOKENS_AT_ONCE = 4_096;
const TEXT_COST_TOKENS = 16;
/** How long after an urgent batch the next one is expected. */
const URGENT_EXPECTED_MS = 2_000;

/** A text or pair that is ready for the model. */
export interface PreparedRow extends TokenRow {
  readonly index: number;
  /** Tokens of the whole text, special ones included. */
  readonly tokenCount: number;
}

export interface BatchSteps {
  /** Tokenizes the text at `index`, or says what became of it instead. */
  prepare(index: number): PreparedRow | TextOutcome;
  /** Takes the result of `row` from row `position` of the output. */
  take(row: PreparedRow, output: NativeOutput, position: number): Extract<TextStatus, 'ok' | 'empty' | 'not_finite'>;
}

export class FusedCalls {
  readonly queue = new TurnQueue();
  readonly #session: NativeSession;
  readonly #limits: FusionLimits;
  readonly #nowMs: () => number;
  #urgentExpectedUntilMs = -Infinity;

  constructor(session: NativeSession, limits: FusionLimits, nowMs: (() => number) | undefined) {
    this.#session = session;
    this.#limits = limits;
    this.#nowMs = nowMs ?? (() => Number(process.hrtime.bigint()) / 1e6);
  }

  /** Takes `size` texts through the model. Resolves with an outcome for each, in the order of their indices. */
  serve(size: number, control: Omit<EmbedControl, 'truncate'>, steps: BatchSteps): Promise<TextOutcome[]> {
    const isUrgent = control.urgent === true;
    return this.queue.serve(isUrgent, async (handOver) => {
      const outcomes: TextOutcome[] = Array.from({ length: size }, () => untouched('cancelled'));
      for (let start = 0; start < size; start += WINDOW_TEXTS) {
        const rows = await this.#prepare(start, Math.min(size, start + WINDOW_TEXTS), control, steps, outcomes, handOver);
        await this.#compute(rows, control, steps, outcomes, handOver);
      }
      if (isUrgent) this.#urgentExpectedUntilMs = this.#nowMs() + URGENT_EXPECTED_MS;
      return outcomes;
    });
  }

  /** Serves what was accepted before, then frees the model. */
  close(): Promise<void> {
    return this.queue.close(() => this.#session.close());
  }

  async #prepare(start: number, end: number, control: Omit<EmbedControl, 'truncate'>, { prepare }: BatchSteps, outcomes: TextOutcome[], handOver: HandOver): Promise<PreparedRow[]> {
    const rows: PreparedRow[] = [];
    let tokensAtOnce = 0;
    for (let index = start; index < end; index++) {
      if (tokensAtOnce >= TOKENS_AT_ONCE) {
        tokensAtOnce = 0;
        await handOver();
      }
      const prepared = unwanted(control, index, this.#nowMs()) ?? prepare(index);
      if ('status' in prepared) outcomes[index] = prepared;
      else rows.push(prepared);
      tokensAtOnce += TEXT_COST_TOKENS + ('status' in prepared ? prepared.tokens : prepared.tokenCount);
    }
    return rows.sort((a, b) => a.ids.length - b.ids.length);
  }

  async #compute(rows: readonly PreparedRow[], control: Omit<EmbedControl, 'truncate'>, steps: BatchSteps, outcomes: TextOutcome[], handOver: HandOver): Promise<void> {
    const lengths = rows.map(({ ids }) => ids.length);
    for (let start = 0; start < rows.length; ) {
      // What comes while the previous call runs is seen here, before the next is chosen.
      await handOver();
      const end = callEnd(lengths, start, control.urgent !== true && this.#isUrgentExpected() ? ONE_BY_ONE : this.#limits);
      const wanted = rows.slice(start, end).filter(({ index }) => {
        const outcome = unwanted(control, index, this.#nowMs());
        if (outcome !== undefined) outcomes[index] = outcome;
        return outcome === undefined;
      });
      start = end;
      if (wanted.length === 0) continue;
      const computed = await this.#call(wanted, steps);
      if (wanted.length === 1 || computed.every(({ status }) => status === 'ok')) {
        for (const [position, { index }] of wanted.entries()) outcomes[index] = computed[position]!;
        continue;
      }
      // A text that the model cannot take must not fail its neighbours, nor change their vectors: each is computed anew, alone.
      for (const row of wanted) await this.#compute([row], control, steps, outcomes, handOver);
    }
  }

  async #call(rows: readonly PreparedRow[], { take }: BatchSteps): Promise<TextOutcome[]> {
    try {
      const output = await this.#session.run(rows, rows.at(-1)!.ids.length);
      return rows.map((row, position) => {
        const status = take(row, output, position);
        return { status, tokens: row.tokenCount, truncated: status === 'ok' && row.ids.length < row.tokenCount };
      });
    } catch (error) {
      const reason = (error as Error).message;
      return rows.map(({ tokenCount }) => ({ status: 'failed', tokens: tokenCount, truncated: false, reason }));
    }
  }

  /** The clock is asked only after an urgent batch. */
  #isUrgentExpected(): boolean {
    return this.#urgentExpectedUntilMs !== -Infinity && this.#nowMs() < this.#urgentExpectedUntilMs;
  }
}
