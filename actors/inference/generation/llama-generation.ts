/**
 * Generates text with llama.cpp through node-llama-cpp.
 *
 * One context has all sequences. The library collects what they ask for within one turn of the event loop and
 * computes it in one native call, as far as `batching` lets it. Three findings shape this file.
 * - A native call cannot be stopped. So a step is one call, and a long prompt is read in parts: a cancel waits
 *   for one of them at the most, and other sequences get their tokens in between.
 * - The library makes room in a full context by forgetting its beginning. Here a completion ends there instead.
 * - One thread a context, as for embedding: more wait for each other in spin loops when a core is taken away.
 */
import assert from 'node:assert';
import {
  LlamaGrammarEvaluationState,
  type BatchingOptions, type Llama, type LlamaContext, type LlamaContextSequence, type LlamaGrammar, type LlamaModel, type SequenceEvaluateOptions, type Token,
} from 'node-llama-cpp';
import { SpillwayError } from '../../../kernel/index.ts';
import { TEXT_BYTES_MAX_DEFAULT, type BackendCapabilities } from '../backend.ts';
import { checkGgufHeader } from '../gguf/header.ts';
import { withLlama } from '../llama/llama-library.ts';
import type { NativeLogger } from '../llama/native-logger.ts';
import {
  CONTEXT_TOKENS_DEFAULT, SEQUENCES_DEFAULT,
  type GenerationBackend, type GenerationBackendOptions, type GenerationModel, type GenerationRun, type PreparedRun, type RunRequest, type RunStep,
} from './generation-backend.ts';
import { TokenText } from './token-text.ts';

/** Of a prompt in one call. Larger parts are hardly faster on a processor, and make others wait longer. */
const PROMPT_PART_TOKENS = 64;
/** What the library's grammars of JSON schemas end with, because not every model would end by itself. */
const GRAMMAR_END = '\n\n\n\n';
/** The library lets an integer have an exponent, and so be none (1e-3); this is the part of its rule without. */
const INTEGER_RULE = /^(integer-number-rule ::= .*) \(\[eE\].*$/m;
const SELF_TEST_PROMPT = 'spillway';

/** One sequence a call, the one that has waited longest: then nothing depends on what the others do. */
const ONE_BY_ONE: NonNullable<BatchingOptions['itemPrioritizationStrategy']> = ({ items, size }) => {
  const [first] = items;
  return first === undefined ? [] : [{ item: first, processAmount: Math.min(size, first.tokens.length) }];
};

/**
 * Loads a model and tries it with one token.
 *
 * @throws SpillwayError the errors of the header check (`model_…`), and `backend_unavailable`, `backend_load_failed`
 *   or `backend_self_test_failed`
 */
export async function loadLlamaGeneration(modelPath: string, options: GenerationBackendOptions = {}): Promise<GenerationBackend> {
  const { sequences = SEQUENCES_DEFAULT, contextTokens = CONTEXT_TOKENS_DEFAULT, threads = 1, batching = true } = options;
  const summary = checkGgufHeader(modelPath, 'generate');
  const contextSize = Math.min(summary.contextLength, contextTokens);
  const { sha256, log } = options;
  return withLlama(modelPath, { ...(sha256 === undefined ? {} : { sha256 }), ...(log === undefined ? {} : { log }) }, async ({ llama, logger, sha256: hash }) => {
    llama.maxThreads = threads;
    const { model, context } = await open(llama, logger, modelPath, {
      contextSize, sequences, threads,
      batchSize: PROMPT_PART_TOKENS * sequences,
      batching: batching ? {} : { itemPrioritizationStrategy: ONE_BY_ONE },
    });
    const about = { name: summary.name, sha256: hash, dimensions: 0, tokensMax: contextSize - 1, contextTokens: contextSize };
    const backend = new LlamaGeneration(llama, model, context, about, options.promptBytesMax ?? TEXT_BYTES_MAX_DEFAULT);
    await selfTest(backend);
    return backend;
  });
}

async function open(llama: Llama, logger: NativeLogger, modelPath: string, options: Parameters<LlamaModel['createContext']>[0]): Promise<{ model: LlamaModel; context: LlamaContext }> {
  try {
    const model = await llama.loadModel({ modelPath, gpuLayers: 0, useMmap: true, checkTensors: true });
    return { model, context: await model.createContext(options) };
  } catch (cause) {
    throw new SpillwayError(
      'backend_load_failed',
      `model ${modelPath}: llama.cpp refused it (${(cause as Error).message}, ${logger.explain()}); choose another model, or convert it again`,
      { cause, details: { path: modelPath } },
    );
  }
}

async function selfTest(backend: LlamaGeneration): Promise<void> {
  const run = backend.begin(await backend.prepare({ prompt: SELF_TEST_PROMPT, temperature: 0, topK: 1, topP: 1, seed: 0 }));
  try {
    while ((await run.step()).kind === 'prompt');
  } catch (cause) {
    throw new SpillwayError('backend_self_test_failed', `model ${backend.model.name}: it gave no first token (${(cause as Error).message}); choose another model`, { cause });
  } finally {
    await run.release();
  }
}

interface LlamaPrepared extends PreparedRun {
  readonly tokens: readonly Token[];
  readonly grammar: LlamaGrammar | undefined;
  readonly sampling: Pick<RunRequest, 'temperature' | 'topK' | 'topP' | 'seed'>;
}

class LlamaGeneration implements GenerationBackend {
  readonly id = 'llama';
  readonly model: GenerationModel;
  readonly sequences: number;
  readonly capabilities: BackendCapabilities;
  readonly #llama: Llama;
  readonly #native: LlamaModel;
  readonly #context: LlamaContext;
  readonly #free: LlamaContextSequence[];
  readonly #runs = new Set<LlamaRun>();
  readonly #promptBytesMax: number;
  #closing: Promise<void> | undefined;

  constructor(llama: Llama, native: LlamaModel, context: LlamaContext, model: GenerationModel, promptBytesMax: number) {
    this.#llama = llama;
    this.#native = native;
    this.#context = context;
    this.model = model;
    this.sequences = context.totalSequences;
    this.capabilities = { embed: false, spans: false, rank: false, generate: true, fusedTextsMax: context.totalSequences, fusedTokensMax: context.batchSize, overlaps: false };
    this.#free = Array.from({ length: context.totalSequences }, () => context.getSequence());
    this.#promptBytesMax = promptBytesMax;
  }

  countTokens(text: string): number {
    this.#assertOpen();
    return text === '' ? 0 : this.#tokenize(text).length;
  }

  async prepare({ prompt, schema, ...sampling }: RunRequest): Promise<LlamaPrepared> {
    this.#assertOpen();
    // Tokenizing is synchronous, so a prompt that is far too long is refused before it.
    const sizeBytes = Buffer.byteLength(prompt);
    if (sizeBytes > this.#promptBytesMax) throw tooLong('bytes', sizeBytes, this.#promptBytesMax);
    const tokens = this.#tokenize(prompt);
    if (tokens.length === 0) throw new SpillwayError('prompt_empty', 'The model sees no tokens in the prompt; give text to go on from.');
    const { contextTokens } = this.model;
    if (tokens.length >= contextTokens) throw tooLong('tokens', tokens.length, contextTokens - 1);
    const grammar = schema === undefined ? undefined : await this.#grammarOf(schema);
    return { promptTokens: tokens.length, roomTokens: contextTokens - tokens.length, endMark: grammar === undefined ? undefined : GRAMMAR_END, tokens, grammar, sampling };
  }

  begin(prepared: LlamaPrepared): GenerationRun {
    this.#assertOpen();
    const sequence = this.#free.pop();
    assert(sequence !== undefined, 'a run needs a free sequence');
    const run = new LlamaRun(this.#native, sequence, prepared, () => {
      this.#runs.delete(run);
      this.#free.push(sequence);
    });
    this.#runs.add(run);
    return run;
  }

  close(): Promise<void> {
    this.#closing ??= this.#drainAndDispose();
    return this.#closing;
  }

  async #drainAndDispose(): Promise<void> {
    await Promise.all([...this.#runs].map((run) => run.release()));
    await this.#context.dispose();
    await this.#native.dispose();
    await this.#llama.dispose();
  }

  #assertOpen(): void {
    assert(this.#closing === undefined, 'the backend is closed: it must not be used after close()');
  }

  /** Special tokens written out in a prompt are ordinary text; the one that begins a text is put in front. */
  #tokenize(text: string): Token[] {
    const tokens = this.#native.tokenize(text);
    const { bos, shouldPrependBosToken } = this.#native.tokens;
    return shouldPrependBosToken && bos !== null && tokens.length > 0 ? [bos, ...tokens] : tokens;
  }

  async #grammarOf(schema: object): Promise<LlamaGrammar> {
    try {
      // Its type follows a schema that is written out in the code, which this one is not.
      const { grammar } = await this.#llama.createGrammarForJsonSchema(schema as { readonly type: 'string' });
      const integral = grammar.replace(INTEGER_RULE, '$1');
      return await this.#llama.createGrammar({ grammar: integral });
    } catch (cause) {
      throw new SpillwayError('schema_invalid', `The schema cannot be made into a grammar (${(cause as Error).message}); simplify it, with smaller maximums, fewer alternatives, and no definition that begins with itself.`, { cause });
    }
  }
}

/** One request on one sequence. */
class LlamaRun implements GenerationRun {
  readonly #sequence: LlamaContextSequence;
  readonly #options: SequenceEvaluateOptions;
  readonly #text: TokenText<Token>;
  readonly #onReleased: () => void;
  /** Of the prompt, not read yet. */
  #unread: readonly Token[];
  #tokens: AsyncGenerator<Token, void, void> | undefined;
  #pending: Promise<unknown> | undefined;
  #releasing: Promise<void> | undefined;

  constructor(model: LlamaModel, sequence: LlamaContextSequence, { tokens, grammar, sampling }: LlamaPrepared, onReleased: () => void) {
    this.#sequence = sequence;
    this.#unread = tokens;
    this.#options = { ...sampling, ...(grammar === undefined ? {} : { grammarEvaluationState: new LlamaGrammarEvaluationState({ model, grammar }) }) };
    this.#text = new TokenText((now, before) => model.detokenize(now, false, before), tokens);
    this.#onReleased = onReleased;
  }

  step(): Promise<RunStep> {
    assert(this.#releasing === undefined, 'a run that was released has no further step');
    const step = this.#step();
    this.#pending = step.catch(() => {});
    return step;
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #step(): Promise<RunStep> {
    if (this.#unread.length > PROMPT_PART_TOKENS) {
      const part = this.#unread.slice(0, PROMPT_PART_TOKENS);
      this.#unread = this.#unread.slice(PROMPT_PART_TOKENS);
      await this.#sequence.evaluateWithoutGeneratingNewTokens(part);
      return { kind: 'prompt', tokens: part.length };
    }
    this.#tokens ??= this.#sequence.evaluate([...this.#unread], this.#options) as AsyncGenerator<Token, void, void>;
    const { value, done } = await this.#tokens.next();
    return done === true ? { kind: 'end' } : { kind: 'token', text: this.#text.push(value) };
  }

  async #release(): Promise<void> {
    await this.#pending;
    // A generator that failed has nothing to give back, and its error was the step's.
    await this.#tokens?.return().catch(() => {});
    await this.#sequence.clearHistory();
    this.#onReleased();
  }
}

function tooLong(unit: 'bytes' | 'tokens', found: number, limit: number): SpillwayError {
  return new SpillwayError('prompt_too_long', `The prompt has ${found} ${unit} and at most ${limit} are taken; shorten it, or make the generator with more contextTokens.`, { details: { [unit]: found, limit } });
}
