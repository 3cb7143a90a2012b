/**
 * From which length on flash attention pays, on this machine and for this model.
 *
 * llama.cpp's tiled kernel begins at 64 tokens, and on the machines that were measured flash attention is slower
 * below that and faster above. Elsewhere, or for a model with other heads, it may be otherwise; timing
 * a few lengths tells.
 */
import type { LlamaContexts } from './llama-contexts.ts';

/** Where the length is not measured: texts with fewer tokens go without flash attention. */
export const FLASH_ATTENTION_TOKENS_MIN = 64;

const LENGTHS = [16, 32, 64, 128] as const;
/** The best of a few rounds: whatever disturbs a measurement makes it longer. */
const ROUNDS = 3;
/** A model that takes longer is large; lengths that were not reached go by the default. */
const BUDGET_MS = 1_500;

/** What is timed: `LlamaContexts`, or what a test puts in its place. */
export type TimedContexts = Pick<LlamaContexts, 'withFlashAttention'>;

/**
 * The least length from which flash attention is the faster way at every measured length; 0 when it
 * always is, `Infinity` when it never is.
 *
 * @param tokensOf as many tokens as it is asked for, of any text: the time depends on their number alone
 * @param tokensMax longer texts do not occur
 */
export async function measureFlashAttention(contexts: TimedContexts, tokensOf: (count: number) => Uint32Array, tokensMax: number, nowMs: () => number = () => performance.now()): Promise<number> {
  const lengths = LENGTHS.filter((length) => length <= tokensMax);
  const best = { with: new Map<number, number>(), without: new Map<number, number>() };
  const withIt = await contexts.withFlashAttention(true);
  const withoutIt = await contexts.withFlashAttention(false);
  const startedAt = nowMs();
  for (let round = 0; round < ROUNDS; round++) {
    for (const length of lengths) {
      const tokens = tokensOf(length);
      for (const [context, times] of [[withIt, best.with], [withoutIt, best.without]] as const) {
        const begunAt = nowMs();
        if (begunAt - startedAt > BUDGET_MS) break;
        await context.compute(tokens);
        times.set(length, Math.min(times.get(length) ?? Infinity, nowMs() - begunAt));
      }
    }
  }
  const pays = (length: number): boolean => {
    const [on, off] = [best.with.get(length), best.without.get(length)];
    return on === undefined || off === undefined ? length >= FLASH_ATTENTION_TOKENS_MIN : on < off;
  };
  const lastWithout = lengths.findLastIndex((length) => !pays(length));
  return lastWithout < 0 ? 0 : lengths[lastWithout + 1] ?? Infinity;
}
