/**
 * `spillway embed --stdin`: texts in, vectors out, a line each and in order, for pipes.
 *
 * What is held at once is bounded: lines are read only as far as there is room for their texts, and a reader of the
 * output that is slow slows the whole. A line that cannot be embedded gets an error in its place, and the next one is
 * not affected.
 */
import { once } from 'node:events';
import { createEmbedder, type Embedded, type EmbedOptions, type EmbedderOptions, type OutputFormat } from '../inference/index.ts';
import { boundedLines, type Line } from './bounded-lines.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED } from './exit-codes.ts';
import { withSystem } from './pipeline.ts';
import type { Settings } from './settings.ts';

export interface EmbedLinesCommand {
  /** Whether a line is JSON: a string, or an object with `text` and perhaps `id`. Otherwise a line is a text. */
  readonly jsonl: boolean;
  readonly settings: Pick<Settings, 'logLevel'>;
  readonly embedder: EmbedderOptions;
  readonly options: Pick<EmbedOptions, 'input' | 'truncate' | 'dimensions' | 'output'>;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: (text: string) => void;
  /** Whether standard error is a terminal that can show a live line. */
  readonly live: boolean;
  /** Aborted by Ctrl-C: nothing more is read, and what was read is answered. */
  readonly interrupt: AbortSignal;
}

/** More than a text may have, with room for JSON's escapes. */
const LINE_BYTES_MAX = 1024 * 1024;
const LIVE_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** What a line of the input asks for. */
interface Asked {
  readonly id?: unknown;
  readonly text: string;
  /** It cannot be embedded, and why; its text is then empty. */
  readonly fault?: { readonly status: string; readonly message: string };
}

/** @returns the exit code: failed if any line has no vector. @throws SpillwayError as `createEmbedder` */
export function embedLinesCommand(command: EmbedLinesCommand): Promise<number> {
  const { settings, embedder: embedderOptions, options, stdin, stdout, stderr, jsonl, live, interrupt } = command;
  return withSystem(settings, async (system) => {
    const embedder = await createEmbedder(system, embedderOptions);
    // The inputs whose results have not come yet, in order; no more than the embedder has taken.
    const waiting: Asked[] = [];
    async function* texts(): AsyncGenerator<string, void, undefined> {
      for await (const line of interruptible(boundedLines(stdin, LINE_BYTES_MAX), interrupt)) {
        const asked = askedOf(line, jsonl);
        waiting.push(asked);
        yield asked.text;
      }
    }
    let [done, failed, shownMs] = [0, 0, 0];
    const startedMs = performance.now();
    const rate = (): string => `${done} texts, ${Math.round((done / (performance.now() - startedMs)) * 1_000)} texts/s`;
    let isBroken = false;
    stdout.on('error', () => void (isBroken = true));
    for await (const embedded of embedder.embed(texts(), options)) {
      const asked = waiting.shift()!;
      const answer = answerOf(asked, embedded);
      done++;
      if ('error' in answer) failed++;
      if (isBroken) break;
      if (!stdout.write(`${JSON.stringify(answer)}\n`)) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]).catch(() => {});
      if (live && performance.now() - shownMs >= LIVE_MS) {
        shownMs = performance.now();
        stderr(`${CLEAR_LINE}${rate()}`);
      }
    }
    if (live) stderr(CLEAR_LINE);
    if (live || failed > 0) stderr(`${rate()}${failed > 0 ? `, ${failed} without a vector` : ''}\n`);
    if (interrupt.aborted) return EXIT_INTERRUPTED;
    return failed > 0 ? EXIT_FAILED : EXIT_DONE;
  });
}

type Answer =
  | { readonly id?: unknown; readonly index: number; readonly vector: readonly number[] | string; readonly tokens: number; readonly truncated: boolean; readonly model: string }
  | { readonly id?: unknown; readonly index: number; readonly error: { readonly code: 'text_refused'; readonly status: string; readonly message: string } };

function answerOf({ id, fault }: Asked, { index, status, vector, tokens, truncated, model, reason = '' }: Embedded<OutputFormat>): Answer {
  const place = { ...(id === undefined ? {} : { id }), index };
  if (fault !== undefined) return { ...place, error: { code: 'text_refused', ...fault } };
  if (vector === undefined) return { ...place, error: { code: 'text_refused', status, message: `Line ${index + 1} was not embedded: ${reason}.` } };
  return { ...place, vector: typeof vector === 'string' ? vector : Array.from(vector), tokens, truncated, model };
}

function askedOf(line: Line, jsonl: boolean): Asked {
  if ('fault' in line) return faulty(line.fault, line.fault === 'not_unicode' ? 'The line is not UTF-8.' : `The line is longer than ${LINE_BYTES_MAX} bytes; split the text.`);
  if (!jsonl) return { text: line.text };
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (error) {
    return faulty('not_json', `The line is not JSON (${(error as Error).message}); expected {"text": "...", "id": ...} or a string, or leave out --jsonl.`);
  }
  if (typeof value === 'string') return { text: value };
  const { text, id } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const named = id === undefined ? {} : { id };
  if (typeof text === 'string') return { ...named, text };
  return { ...named, ...faulty('not_json', 'The line has no "text" that is a string; expected {"text": "...", "id": ...}.') };
}

function faulty(status: string, message: string): Asked {
  return { text: '', fault: { status, message } };
}

/** Ends early when it is interrupted, also while its source has nothing to give. */
async function* interruptible<Item>(source: AsyncGenerator<Item, void, undefined>, interrupt: AbortSignal): AsyncGenerator<Item, void, undefined> {
  const interrupted = new Promise<undefined>((resolve) => {
    if (interrupt.aborted) resolve(undefined);
    else interrupt.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  for (;;) {
    const step = await Promise.race([source.next(), interrupted]);
    // A source that waits for input cannot be closed before that comes; the process ends without it.
    if (step === undefined || step.done === true) return;
    yield step.value;
  }
}
