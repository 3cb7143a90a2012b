/** The command line: what it understands, and how its commands end. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { DrillFlags } from './drill-command.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE } from './exit-codes.ts';
import type { GenerateFlags } from './generate-command.ts';
import { addModelsCommands } from './models-program.ts';
import { describeError } from './pipeline.ts';
import { createReporter } from './reporter.ts';
import { OUTPUT_FORMATS, POOLINGS, TRUNCATE_POLICIES, type OutputFormat, type TruncatePolicy } from '../inference/index.ts';
import { loadSettings, type Settings } from './settings.ts';

const write = (stream: NodeJS.WriteStream) => (text: string) => void stream.write(text);
const stdout = write(process.stdout);
const stderr = write(process.stderr);

/** Codes of errors that are the caller's way of calling, not the world's. */
const PROMPT_CODES = ['prompt_empty', 'prompt_not_unicode', 'prompt_too_long', 'schema_invalid', 'generation_invalid'];
const USAGE_CODES: ReadonlySet<string> = new Set(['config_invalid', 'query_empty', 'model_source_invalid', 'drill_unknown', 'drill_invalid', 'dimensions_invalid', 'embed_options_invalid', 'model_name_invalid', 'model_unknown', ...PROMPT_CODES]);
/** A live line moves; lines in a file should be few. */
const LIVE_MS = 100;
const PLAIN_MS = 2_000;

type Flags = Readonly<Record<string, unknown>>;

/** Runs the command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  let exitCode = EXIT_DONE;
  const program = createProgram((code) => {
    exitCode = code;
  });
  // A reader that closes the pipe early (head, a pager) is not an error.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    else {
      const { code, message } = describeError(error);
      if (args.includes('--json')) stdout(`${JSON.stringify({ event: 'error', code, message })}\n`);
      else stderr(`spillway: ${message} [${code}]\n`);
      exitCode = USAGE_CODES.has(code) ? EXIT_USAGE : EXIT_FAILED;
    }
  }
  await flushed(process.stdout);
  process.exit(exitCode);
}

function createProgram(exitWith: (code: number) => void): Command {
  const program = new Command('spillway')
    .description('Embed, index and search text inside this process, on supervised threads.')
    .exitOverride()
    .showHelpAfterError('(run with --help for examples)');

  const index = new Option('--index <dir>', 'folder of the index (default: .spillway)');
  const model = new Option('--model <model>', 'a GGUF file or hf:user/repo[:quant] (default: the built-in lexical model)');
  const json = new Option('--json', 'one JSON object a line on standard output');

  /** How models are run; the same for every command that runs one. */
  const models = (command: Command): Command =>
    command
      .option('--isolate', 'run the model in processes of its own for good, sandboxed where the system can')
      .option('--no-quarantine', 'load a model that was never loaded here without first trying it in a sandboxed process')
      .addOption(new Option('--pooling <how>', "how the vectors of tokens become one, in place of what the model's files say").choices([...POOLINGS]))
      .option('--dimensions <n>', 'values to keep of each vector, for models that were trained for it', wholeNumber)
      .option('--document-prompt <text>', 'what the model wants before a text that is to be found, such as "passage: "')
      .option('--query-prompt <text>', 'what the model wants before a text that looks for others, such as "query: "');

  models(
    program
      .command('embed')
      .description('bring the index up to date with folders and files; only what has changed is embedded')
      .argument('[path...]', 'folders or files; ignored files, links, binaries and large files are left out')
      .addOption(index)
      .addOption(model)
      .option('--actors <n>', 'inference actors (default: one per core)', wholeNumber)
      .option('--chunk-tokens <n>', 'estimated tokens of a chunk at the most (default: 256)', wholeNumber)
      .option('--max-file-bytes <n>', 'larger files are skipped (default: 2097152)', wholeNumber)
      .option('--rebuild', 'embed everything again, with this model and these settings', false)
      .option('--verbose', 'list every skipped entry and masked secret', false)
      .option('--stdin', 'embed the lines of standard input instead: a line of JSON with the vector for each, in order', false)
      .option('--jsonl', 'with --stdin: each line is JSON, a string or {"text": ..., "id": ...}', false)
      .addOption(new Option('--input <kind>', 'with --stdin: which prompt is put before each text').choices(['query', 'document']))
      .addOption(new Option('--truncate <side>', 'with --stdin: what becomes of a text with more tokens than the model takes').choices([...TRUNCATE_POLICIES]).default('refuse'))
      .addOption(new Option('--output <format>', 'with --stdin: the form of the vectors').choices([...OUTPUT_FORMATS]).default('float32'))
      .addOption(json),
  )
    .addHelpText('after', examples('spillway embed docs', 'spillway embed src docs --actors 2', 'spillway embed . --index ../idx --model ./bge-small-q8_0.gguf', 'spillway embed docs --json | tail -1', "jq -c '{id, text}' texts.json | spillway embed --stdin --jsonl > vectors.jsonl", 'spillway embed --stdin --output base64 < lines.txt'))
    .action(async (paths: string[], flags: Flags) => {
      const settings = await loadSettings(settingFlags(flags));
      const isJson = flags['json'] === true;
      const live = process.stderr.isTTY && !isJson;
      if (flags['stdin'] === true) {
        if (paths.length > 0) program.error('error: --stdin takes no paths');
        exitWith(await embedLines(settings, flags, live));
        return;
      }
      if (paths.length === 0) program.error("error: missing required argument 'path' (or --stdin)");
      const { embedCommand } = await import('./embed-command.ts');
      exitWith(
        await embedCommand({
          paths,
          rebuild: flags['rebuild'] === true,
          settings,
          reporter: createReporter({ json: isJson, verbose: flags['verbose'] === true, stdout, stderr, live }),
          progressMs: live ? LIVE_MS : PLAIN_MS,
          interrupt: interruption(),
        }),
      );
    });

  program
    .command('search')
    .description('the chunks nearest to a query, best first')
    .argument('<query>', 'what to look for')
    .addOption(index)
    .addOption(model)
    .option('--isolate', 'run the model in a process of its own, sandboxed where the system can')
    .option('--no-quarantine', 'load a model that was never loaded here without first trying it in a sandboxed process')
    .option('--limit <k>', 'hits at the most (default: 10)', hitLimit, 10)
    .addOption(json)
    .addHelpText('after', examples('spillway search "what happens to a message when its worker dies"', 'spillway search "back pressure" --limit 3', 'spillway search retry --json | head -1'))
    .action(async (query: string, flags: Flags) => {
      const { searchCommand } = await import('./search-command.ts');
      const settings = await loadSettings(settingFlags(flags));
      exitWith(await searchCommand({ query, limit: flags['limit'] as number, json: flags['json'] === true, settings, stdout }));
    });

  program
    .command('generate')
    .description('go on with a prompt, token by token')
    .argument('[prompt]', 'what to go on with (default: standard input)')
    .addOption(new Option('--model <model>', 'a name of `spillway models`, a GGUF file or hf:user/repo[:quant] (default: what `models use` set)'))
    .option('--max-tokens <n>', 'tokens at the most (default: 256)', wholeNumber)
    .option('--temperature <t>', 'how far to stray from the likeliest token; 0 always takes it (default: 0)', decimal)
    .option('--top-k <n>', 'choose among so many of the likeliest tokens', wholeNumber)
    .option('--top-p <p>', 'choose among the likeliest tokens that together have this probability', decimal)
    .option('--seed <n>', 'what chance follows: the same seed gives the same text', wholeNumber)
    .option('--stop <text...>', 'end before any of these')
    .option('--schema <file>', 'a JSON schema that the text has to fit')
    .option('--isolate', 'run the model in a process of its own, sandboxed where the system can')
    .option('--no-quarantine', 'load a model that was never loaded here without first trying it in a sandboxed process')
    .addOption(json)
    .addHelpText('after', examples('spillway generate "Once upon a time" --model ./tiny.gguf', 'spillway generate --model qwen --max-tokens 64 --temperature 0.7 --seed 7 < prompt.txt', 'spillway generate "A person:" --schema person.json --json | tail -1'))
    .action(async (prompt: string | undefined, flags: Flags) => {
      const { generateCommand } = await import('./generate-command.ts');
      exitWith(
        await generateCommand({
          prompt,
          stdin: process.stdin,
          flags: generateFlags(flags),
          json: flags['json'] === true,
          settings: await loadSettings(settingFlags(flags)),
          terminal: process.stdout.isTTY,
          stdout,
          stderr,
          interrupt: interruption(),
        }),
      );
    });

  program
    .command('status')
    .description('what the index holds, its model and its generation')
    .addOption(index)
    .addOption(json)
    .addHelpText('after', examples('spillway status', 'spillway status --index ../idx --json'))
    .action(async (flags: Flags) => {
      const { statusCommand } = await import('./status-command.ts');
      exitWith(await statusCommand({ json: flags['json'] === true, settings: await loadSettings(settingFlags(flags)), stdout }));
    });

  program
    .command('drill')
    .description('break something on purpose, and report what became of it')
    .argument('[name]', 'which drill; --list shows them')
    .option('--list', 'the drills that there are, and what each of them claims', false)
    .option('--seed <n>', 'what everything left to chance follows (default: a random one, told in the report)', wholeNumber)
    .option('--runs <n>', 'runs with the fault (default: 10)', wholeNumber)
    .addOption(new Option('--placement <where>', 'where the actor runs that is made to fail').choices(['inline', 'pool', 'thread', 'process']))
    .option('--html <file>', 'write the report there as a page with a picture')
    .addOption(json)
    .addHelpText('after', examples('spillway drill --list', 'spillway drill throw', 'spillway drill hang --runs 100 --seed 7', 'spillway drill exit --html exit.html', 'spillway drill oom --json | tail -1'))
    .action(async (name: string | undefined, { list, seed, runs, placement, html, json }: DrillFlags & { readonly json?: boolean }) => {
      const { drillCommand } = await import('./drill-command.ts');
      const isJson = json === true;
      const live = process.stderr.isTTY && !isJson;
      exitWith(await drillCommand({ name, list, seed, runs, placement, html, json: isJson, live, stdout, stderr, interrupt: interruption() }));
    });

  addModelsCommands(program, { stdout, stderr, exitWith, examples, interruption });

  program.addHelpText('after', examples('spillway embed docs', 'spillway search "back pressure"', 'spillway status', 'spillway drill --list'));
  return program;
}

async function embedLines({ model, actors, cacheDir, isolate, quarantine, recipe, logLevel }: Settings, flags: Flags, live: boolean): Promise<number> {
  const { embedLinesCommand } = await import('./embed-lines-command.ts');
  const { pooling, dimensions, documentPrompt, queryPrompt } = recipe;
  return embedLinesCommand({
    jsonl: flags['jsonl'] === true,
    settings: { logLevel },
    embedder: {
      actors,
      cacheDir,
      isolate,
      quarantine,
      prompts: { ...(documentPrompt === undefined ? {} : { document: documentPrompt }), ...(queryPrompt === undefined ? {} : { query: queryPrompt }) },
      ...(model === undefined ? {} : { model }),
      ...(pooling === undefined ? {} : { pooling }),
    },
    options: {
      truncate: flags['truncate'] as TruncatePolicy,
      output: flags['output'] as OutputFormat,
      ...(flags['input'] === undefined ? {} : { input: flags['input'] as 'query' | 'document' }),
      ...(dimensions === undefined ? {} : { dimensions }),
    },
    stdin: process.stdin,
    stdout: process.stdout,
    stderr,
    live,
    interrupt: interruption(),
  });
}

function generateFlags({ maxTokens, temperature, topK, topP, seed, stop, schema }: Flags): GenerateFlags {
  return Object.fromEntries(Object.entries({ maxTokens, temperature, topK, topP, seed, stop, schema }).filter(([, value]) => value !== undefined));
}

/** The flags that are settings; the others steer the command itself. */
function settingFlags({ index, model, actors, chunkTokens, maxFileBytes, isolate, quarantine, pooling, dimensions, documentPrompt, queryPrompt }: Flags): Flags {
  // A flag that only turns something off says nothing when it is not given.
  const given = quarantine === false ? { quarantine } : {};
  return { index, model, actors, chunkTokens, maxFileBytes, isolate, ...given, pooling, dimensions, documentPrompt, queryPrompt };
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}

function decimal(text: string): number {
  if (!/^\d+(?:\.\d+)?$/.test(text)) throw new InvalidArgumentError('Expected a number, such as 0.7.');
  return Number(text);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

function hitLimit(text: string): number {
  const limit = wholeNumber(text);
  if (limit < 1 || limit > 1_000) throw new InvalidArgumentError('Expected a number from 1 to 1000.');
  return limit;
}

/**
 * The first Ctrl-C lets the run drain. The second ends the process at once, and by the signal itself,
 * because leaving in order while a native call is in flight would abort; the index is made for that.
 *
 * Each kind of signal is counted for itself: the launcher may pass a Ctrl-C on that the terminal has
 * sent to this process too.
 */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    let isSecond = false;
    process.on(signal, () => {
      if (isSecond) endBy(signal);
      isSecond = true;
      controller.abort();
    });
  }
  return controller.signal;
}

function endBy(signal: NodeJS.Signals): void {
  // Without a listener a signal has its usual effect, at once.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Waits until a pipe has taken what was written; process.exit would cut it off. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
