/** One way of the generation bench, in a process of its own: `generation-way.ts <way> <model> <prompts>`. */
import { LlamaCompletion, getLlama } from 'node-llama-cpp';
import { createGenerator } from '../actors/inference/generation/index.ts';
import { createSystem } from '../supervisors/index.ts';
import type { GenerationReading, GenerationWay } from './generation.ts';
import { median } from './statistics.ts';

/** One text: how many tokens it has, and when its first piece came. */
interface Generated {
  readonly tokens: number;
  readonly ttftMs: number;
}

interface Way {
  /** One for each sequence; each generates one text after the other. */
  readonly generators: readonly ((prompt: string) => Promise<Generated>)[];
  close(): Promise<void>;
}

const MAX_TOKENS = 100;
const PROMPT_TOKENS = 32;
const CONTEXT_TOKENS = 256;
/** Share of the prompts that is generated before the clock starts: each thread first compiles its code. */
const WARM_UP = 1 / 4;

const [wayName, modelPath, count] = process.argv.slice(2) as [GenerationWay, string, string];
const sequences = Number(wayName.at(-1));
const way = await (wayName.startsWith('completion') ? libraryWay() : spillwayWay(!wayName.startsWith('one-by-one')));
await generateAll(Math.ceil(Number(count) * WARM_UP), 1_000_000);
const startedAt = performance.now();
const texts = await generateAll(Number(count), 0);
const seconds = (performance.now() - startedAt) / 1_000;
await way.close();
const reading: GenerationReading = {
  tokensPerSecond: texts.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
  ttftMs: median(texts.map(({ ttftMs }) => ttftMs)),
};
console.log(JSON.stringify(reading));
process.exit(0);

async function generateAll(prompts: number, firstSeed: number): Promise<Generated[]> {
  const generated: Generated[] = [];
  let next = 0;
  await Promise.all(
    way.generators.map(async (generate) => {
      while (next < prompts) generated.push(await generate(promptOf(firstSeed + next++)));
    }),
  );
  return generated;
}

/** Of about as many tokens as it has characters. */
function promptOf(seed: number): string {
  return `prompt ${seed} `.padEnd(PROMPT_TOKENS, 'abcdefg ');
}

async function spillwayWay(batching: boolean): Promise<Way> {
  const system = await createSystem({ logLevel: 'error' });
  const generator = await createGenerator(system, { model: modelPath, sequences, contextTokens: CONTEXT_TOKENS, batching, quarantine: false });
  const generate = async (prompt: string): Promise<Generated> => {
    const beganAt = performance.now();
    let ttftMs = 0;
    const generation = generator.generate(prompt, { maxTokens: MAX_TOKENS });
    for await (const { text } of generation) if (ttftMs === 0 && text !== '') ttftMs = performance.now() - beganAt;
    return { tokens: (await generation.result).usage.completionTokens, ttftMs };
  };
  return { generators: Array.from({ length: sequences }, () => generate), close: () => system.close() };
}

async function libraryWay(): Promise<Way> {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 1 });
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, useMmap: true });
  const context = await model.createContext({ contextSize: CONTEXT_TOKENS, sequences, threads: 1 });
  const generators = Array.from({ length: sequences }, () => {
    const sequence = context.getSequence();
    const completion = new LlamaCompletion({ contextSequence: sequence });
    return async (prompt: string): Promise<Generated> => {
      // Without what it knows of the former prompt, as the other ways.
      await sequence.clearHistory();
      const before = sequence.tokenMeter.usedOutputTokens;
      const beganAt = performance.now();
      let ttftMs = 0;
      await completion.generateCompletion(prompt, {
        maxTokens: MAX_TOKENS,
        onTextChunk: (text) => {
          if (ttftMs === 0 && text !== '') ttftMs = performance.now() - beganAt;
        },
      });
      return { tokens: sequence.tokenMeter.usedOutputTokens - before, ttftMs };
    };
  });
  return { generators, close: () => llama.dispose() };
}
