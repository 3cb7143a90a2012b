/** One way in a process of its own: `child.ts <entrant as JSON>`. It answers what its parent asks and ends with it. */
import type { Answer, Choice, Entrant, Message, Rate, Tasks, Vectors, Workload } from './task.ts';
import { DELAY_TOKENS, measureDelay } from './responsiveness.ts';
import { measureUrgency } from './urgency.ts';
import type { EmbeddingWay, Variants } from './way.ts';
import { TextSource, wholeBlocks } from './workload.ts';

/** A variant is judged by the better of two runs of at least so many seconds. */
const TRIAL_SECONDS = 0.25;
const TRIALS = 2;
/** Variants nearly as fast as the fastest are measured beside it, for a short run may have misjudged them. */
const NEARLY = 0.8;
const CONTENDERS_MAX = 2;

async function open(entrant: Entrant): Promise<Variants> {
  switch (entrant.way) {
    case 'Spillway':
    case 'Spillway, isolated':
      return (await import('./ways/spillway.ts')).spillway(entrant);
    case 'Spillway, unrouted':
      return (await import('./ways/spillway.ts')).spillwayUnrouted(entrant);
    case 'C++ loop on libllama':
      return (await import('./ways/cpp-loop.ts')).cppLoop(entrant);
    case 'llama-server over HTTP':
      return (await import('./ways/llama-server.ts')).llamaServer(entrant);
    case 'onnxruntime-node, tuned by hand':
      return (await import('./ways/onnxruntime.ts')).onnxruntime(entrant);
    case 'transformers.js pipeline':
      return (await import('./ways/transformers.ts')).transformers(entrant);
    default:
      return (await import('./ways/node-llama-cpp.ts')).nodeLlamaCpp(entrant);
  }
}

class Desk {
  readonly #variants: Variants;
  readonly #source = new TextSource();
  /** The variants worth measuring and their pace, for each workload, the fastest first. */
  readonly #contenders = new Map<string, readonly Choice[]>();

  constructor(variants: Variants) {
    this.#variants = variants;
  }

  async serve({ name, request }: Message): Promise<Tasks[Message['name']]['report']> {
    if (name === 'prepare') return this.#prepare(request.workload);
    if (name === 'measure') return this.#measure(request.workload, request.seconds);
    if (name === 'vectors') return this.#vectors(request.texts);
    if (name === 'urgency') return measureUrgency(...(await this.#fastest({ length: request.bulkTokens })), request);
    return measureDelay(...(await this.#fastest({ length: DELAY_TOKENS })), request);
  }

  async #fastest(workload: Workload): Promise<[way: EmbeddingWay, source: TextSource, textsPerSecond: number]> {
    const { variant, textsPerSecond } = await this.#prepare(workload);
    return [this.#variants.get(variant)!, this.#source, textsPerSecond];
  }

  async close(): Promise<void> {
    for (const way of this.#variants.values()) await way.close();
  }

  async #prepare(workload: Workload): Promise<Choice> {
    const paces = new Map<string, number>();
    for (let trial = 0; trial < (this.#variants.size > 1 ? TRIALS : 1); trial++) {
      for (const [variant, way] of this.#variants) {
        const { texts, seconds } = await this.#trial(way, workload);
        paces.set(variant, Math.max(paces.get(variant) ?? 0, texts / seconds));
      }
    }
    const choices = [...paces].map(([variant, textsPerSecond]): Choice => ({ variant, textsPerSecond })).sort((a, b) => b.textsPerSecond - a.textsPerSecond);
    const fastest = choices[0]!;
    this.#contenders.set(JSON.stringify(workload), choices.slice(0, CONTENDERS_MAX).filter(({ textsPerSecond }) => textsPerSecond >= NEARLY * fastest.textsPerSecond));
    return fastest;
  }

  /** Doubles the number of texts until it takes long enough to tell; what came before has warmed it up. */
  async #trial(way: EmbeddingWay, workload: Workload): Promise<Rate> {
    for (let texts = wholeBlocks(workload, 1); ; texts *= 2) {
      const seconds = await secondsOf(way, this.#source.take(workload, texts));
      if (seconds >= TRIAL_SECONDS) return { texts, seconds };
    }
  }

  /** The rate of the fastest contender; they share the time. */
  async #measure(workload: Workload, seconds: number): Promise<Rate> {
    const contenders = this.#contenders.get(JSON.stringify(workload))!;
    let best: Rate | undefined;
    for (const { variant, textsPerSecond } of contenders) {
      const texts = this.#source.take(workload, wholeBlocks(workload, (textsPerSecond * seconds) / contenders.length));
      const rate = { texts: texts.length, seconds: await secondsOf(this.#variants.get(variant)!, texts) };
      if (best === undefined || rate.texts / rate.seconds > best.texts / best.seconds) best = rate;
    }
    return best!;
  }

  async #vectors(texts: readonly string[]): Promise<Vectors[]> {
    const all: Vectors[] = [];
    for (const [variant, way] of this.#variants) {
      all.push({ variant, rows: [...(await way.embed(texts))].map(unitLength) });
    }
    return all;
  }
}

async function secondsOf(way: EmbeddingWay, texts: readonly string[]): Promise<number> {
  if (way.secondsOf !== undefined) return way.secondsOf(texts);
  const startedAt = performance.now();
  await way.embed(texts);
  return (performance.now() - startedAt) / 1_000;
}

function unitLength(vector: ArrayLike<number>): Float32Array {
  const row = Float32Array.from(vector);
  const length = Math.hypot(...row);
  return row.map((value) => value / length);
}

function answer(answer: Answer): void {
  process.send!(answer);
}

function failed(error: unknown): Answer {
  const { code, message } = error as Error & { readonly code?: string };
  return { error: `${code === undefined ? '' : `${code}: `}${message}` };
}

try {
  const desk = new Desk(await open(JSON.parse(process.argv[2]!) as Entrant));
  process.on('message', (message: Message) => void desk.serve(message).then((report) => answer({ report }), (error: unknown) => answer(failed(error))));
  process.on('disconnect', () => void desk.close().finally(() => process.exit(0)));
  answer({});
} catch (error) {
  answer(failed(error));
}
