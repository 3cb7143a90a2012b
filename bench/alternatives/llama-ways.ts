/**
 * A rejected design kept with its bench: embedding through node-llama-cpp's own calls, and tokenizing ahead, against
 * the direct way that is shipped (actors/inference/llama/text-context.ts).
 *
 *   library   `getEmbeddingFor`: a sequence, a scheduler and a sampler around each native call
 *   direct    the four native calls underneath, one text after another
 *   ahead     the same, and the next text is tokenized while one computes
 *
 * One context of one thread, the same texts, ways taking turns. Processor time is what to compare: it tells the same on
 * a machine that has other work, and a text that waited for the JavaScript around it shows in the time that passed.
 */
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { directContext, libraryContext, type TextContext } from '../../actors/inference/llama/text-context.ts';
import { TokenFrame } from '../../actors/inference/llama/token-frame.ts';
import { miniLmModel, textOfTokens } from '../models/minilm.ts';
import { median, table } from '../statistics.ts';

const WAYS = ['library', 'direct', 'ahead'] as const;
type Way = (typeof WAYS)[number];
/** Texts of a round, by tokens: about a fifth of a second for each way. */
const TEXTS: Readonly<Record<number, number>> = { 16: 60, 64: 20, 256: 5 };

export interface LlamaWaysRow {
  readonly tokens: number;
  /** Milliseconds for a text, medians over the rounds. */
  readonly processorMs: Readonly<Record<Way, number>>;
  readonly passedMs: Readonly<Record<Way, number>>;
}

export async function run({ rounds = 7, print = () => {} }: { readonly rounds?: number; readonly print?: (line: string) => void } = {}): Promise<LlamaWaysRow[]> {
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath: miniLmModel() });
  const context = await model.createEmbeddingContext({ contextSize: 512, batchSize: 512, threads: 1 });
  const frame = new TokenFrame(model);
  const contexts: Readonly<Record<Way, TextContext>> = { library: libraryContext(context), direct: directContext(context)!, ahead: directContext(context)! };
  const prepare = (text: string): Uint32Array => frame.around(model.tokenize(text));
  const embedAll = async (way: Way, texts: readonly string[]): Promise<void> => {
    let next = prepare(texts[0]!);
    for (let i = 0; i < texts.length; i++) {
      const computing = contexts[way].compute(next);
      if (way === 'ahead' && i + 1 < texts.length) next = prepare(texts[i + 1]!);
      await computing;
      if (way !== 'ahead' && i + 1 < texts.length) next = prepare(texts[i + 1]!);
    }
  };
  const rows: LlamaWaysRow[] = [];
  for (const [tokens, count] of Object.entries(TEXTS).map(([key, value]) => [Number(key), value] as const)) {
    const texts = Array.from({ length: count }, (_, seed) => textOfTokens(tokens, seed + 1));
    const processor: Record<Way, number[]> = { library: [], direct: [], ahead: [] };
    const passed: Record<Way, number[]> = { library: [], direct: [], ahead: [] };
    // The first round compiles the code, and does not count.
    for (let round = -1; round < rounds; round++) {
      for (const way of WAYS) {
        const [startedAt, used] = [performance.now(), process.cpuUsage()];
        await embedAll(way, texts);
        const { user, system } = process.cpuUsage(used);
        if (round < 0) continue;
        processor[way].push((user + system) / 1_000 / count);
        passed[way].push((performance.now() - startedAt) / count);
      }
    }
    rows.push({ tokens, processorMs: each((way) => median(processor[way])), passedMs: each((way) => median(passed[way])) });
  }
  await llama.dispose();
  for (const line of table([
    ['ms for a text: processor (passed)', ...WAYS, 'library/direct', 'ahead/direct'],
    ...rows.map(({ tokens, processorMs, passedMs }) => [
      `${tokens} tokens`,
      ...WAYS.map((way) => `${processorMs[way].toFixed(2)} (${passedMs[way].toFixed(2)})`),
      ...(['library', 'ahead'] as const).map((way) => `${(processorMs[way] / processorMs.direct).toFixed(3)} x`),
    ]),
  ])) print(line);
  return rows;
}

function each(value: (way: Way) => number): Record<Way, number> {
  return { library: value('library'), direct: value('direct'), ahead: value('ahead') };
}
