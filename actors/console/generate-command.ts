/**
 * `spillway generate`: goes on with a prompt, and writes the text as it comes. Ctrl-C ends it with what there is.
 */
import { readFile } from 'node:fs/promises';
import { SpillwayError } from '../../kernel/index.ts';
import { MAX_TOKENS_DEFAULT, checkRequest, chooseModel, createGenerator, type GenerationResult, type SamplingOptions } from '../inference/index.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { withSystem } from './pipeline.ts';
import { printable } from './printable.ts';
import type { Settings } from './settings.ts';

/** As they come from the command line; what is not given is the generator's default. */
export interface GenerateFlags extends Omit<SamplingOptions, 'schema'> {
  /** File with a JSON schema that the text has to fit. */
  readonly schema?: string | undefined;
}

export interface GenerateCommand {
  /** Absent: it is read from standard input. */
  readonly prompt: string | undefined;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly flags: GenerateFlags;
  readonly json: boolean;
  readonly settings: Pick<Settings, 'model' | 'cacheDir' | 'logLevel' | 'isolate' | 'quarantine'>;
  /** Whether standard output is a terminal, which a text must not drive. */
  readonly terminal: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Aborted by Ctrl-C. */
  readonly interrupt: AbortSignal;
}

/** More is refused before it is read to its end. */
const STDIN_BYTES_MAX = 256 * 1024;
const SCHEMA_BYTES_MAX = 64 * 1024;
/** Room for the prompt, whatever the completion may have. */
const PROMPT_TOKENS = 2_048;
/** What the model takes bounds it further. */
const CONTEXT_TOKENS_MAX = 2 ** 24;

/**
 * @returns the exit code
 * @throws SpillwayError `prompt_…`, `schema_invalid`, `generation_…`, `model_…`, `backend_…`, ...
 */
export async function generateCommand(command: GenerateCommand): Promise<number> {
  const { flags: { schema: schemaFile, ...sampling }, settings, interrupt, stderr } = command;
  const prompt = command.prompt ?? (await readPrompt(command.stdin));
  const schema = schemaFile === undefined ? undefined : await readSchema(schemaFile);
  // What cannot be asked for is said before a model is loaded for it.
  checkRequest(prompt, { ...defined(sampling), ...(schema === undefined ? {} : { schema }) }, () => 0);
  const model = await chooseModel(settings.model, {
    purpose: 'generate', cacheDir: settings.cacheDir, signal: interrupt,
    ...(command.json ? {} : { onProgress: downloadProgress(stderr) }),
  });
  return withSystem(settings, async (system) => {
    const { maxTokens = MAX_TOKENS_DEFAULT } = sampling;
    const { isolate, quarantine, cacheDir } = settings;
    const generator = await createGenerator(system, { model, sequences: 1, contextTokens: Math.min(CONTEXT_TOKENS_MAX, PROMPT_TOKENS + maxTokens), isolate, quarantine, cacheDir });
    const generation = generator.generate(prompt, { ...defined(sampling), maxTokens, signal: interrupt, ...(schema === undefined ? {} : { schema }) });
    for await (const { text, tokens } of generation) {
      if (command.json) command.stdout(`${JSON.stringify({ event: 'piece', text, tokens })}\n`);
      else command.stdout(command.terminal ? shown(text) : text);
    }
    const result = await generation.result;
    if (command.json) command.stdout(`${JSON.stringify({ event: 'result', model: model.name, ...result })}\n`);
    else {
      if (result.text !== '' && !result.text.endsWith('\n')) command.stdout('\n');
      stderr(`${summary(result)}\n`);
    }
    return result.reason === 'cancelled' ? EXIT_INTERRUPTED : EXIT_DONE;
  });
}

async function readPrompt(stdin: GenerateCommand['stdin']): Promise<string> {
  if (stdin.isTTY === true) throw new SpillwayError('prompt_empty', 'There is no prompt; give it as an argument, or on standard input.');
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of stdin) {
    sizeBytes += chunk.length;
    if (sizeBytes > STDIN_BYTES_MAX) throw new SpillwayError('prompt_too_long', `The prompt on standard input has more than ${STDIN_BYTES_MAX} bytes; shorten it.`);
    chunks.push(chunk);
  }
  try {
    // The line break that ends a file or an echo is no part of the prompt.
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new SpillwayError('prompt_not_unicode', 'The prompt on standard input is not UTF-8; convert it.', { cause });
  }
}

async function readSchema(path: string): Promise<object> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SpillwayError('schema_invalid', `The schema cannot be read from ${path} (${(cause as NodeJS.ErrnoException).code}); check the path.`, { cause });
  }
  if (Buffer.byteLength(text) > SCHEMA_BYTES_MAX) throw new SpillwayError('schema_invalid', `The schema in ${path} has more than ${SCHEMA_BYTES_MAX} bytes; shorten it.`);
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new SpillwayError('schema_invalid', `The schema in ${path} is no JSON (${(cause as Error).message}).`, { cause });
  }
}

/** As a terminal may show it: without control characters but line breaks and tabs. */
function shown(text: string): string {
  return text.split(/([\n\t])/).map((part) => (part === '\n' || part === '\t' ? part : printable(part))).join('');
}

function summary({ usage, reason, ttftMs, tokensPerSecond, seed }: GenerationResult): string {
  const rate = tokensPerSecond === undefined ? '' : `, ${tokensPerSecond.toFixed(1)} tokens/s`;
  const first = ttftMs === undefined ? '' : `, the first after ${Math.round(ttftMs)} ms`;
  return `${usage.completionTokens} tokens for a prompt of ${usage.promptTokens}${first}${rate}; ended: ${reason}; seed ${seed}.`;
}

/** What the caller gave, without what is undefined. */
function defined(sampling: Omit<SamplingOptions, 'schema'>): Omit<SamplingOptions, 'schema'> {
  return Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
}

/** Says how far a download is, once for each tenth. */
function downloadProgress(stderr: (text: string) => void): (progress: { downloadedBytes: number; totalBytes: number }) => void {
  let toldTenth = -1;
  return ({ downloadedBytes, totalBytes }) => {
    const tenth = Math.floor((downloadedBytes / totalBytes) * 10);
    if (!(tenth > toldTenth)) return;
    toldTenth = tenth;
    stderr(`downloading the model: ${tenth * 10} % of ${Math.round(totalBytes / 1e6)} MB\n`);
  };
}
