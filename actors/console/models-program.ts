/** What the command line understands after `spillway models`. */
import { Option, type Command } from 'commander';
import { PURPOSES, type Purpose } from '../inference/index.ts';
import { loadSettings } from './settings.ts';

/** What these commands need of the command line that they are a part of. */
export interface ModelsProgramHost {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  exitWith(code: number): void;
  examples(...lines: string[]): string;
  /** Called by a command that Ctrl-C is to end in order. */
  interruption(): AbortSignal;
}

interface Flags {
  readonly json?: boolean;
  readonly copy?: boolean;
  readonly files?: boolean;
  readonly actors?: string;
  readonly purpose?: Purpose;
}

export function addModelsCommands(program: Command, { stdout, stderr, exitWith, examples, interruption }: ModelsProgramHost): void {
  const models = program.command('models').description('the models that you have added, under names of their own, and which is the default');
  const json = new Option('--json', 'one JSON object a line on standard output');
  const purpose = (about: string): Option => new Option('--purpose <what>', about).choices([...PURPOSES]);
  const basics = async ({ json: isJson, actors }: Flags) => ({ json: isJson === true, settings: await loadSettings({ actors: actors === undefined ? undefined : Number(actors) }), stdout });
  const only = (one: Purpose | undefined): readonly Purpose[] | undefined => (one === undefined ? undefined : [one]);

  models
    .command('list')
    .description('the models with their measures, an estimate of their memory, and whether their files are still as they were')
    .option('--actors <n>', 'for how many actors memory is estimated (default: one per core)')
    .addOption(json)
    .addHelpText('after', examples('spillway models list', 'spillway models list --json'))
    .action(async (flags: Flags) => {
      const { modelsList } = await import('./models-command.ts');
      exitWith(await modelsList(await basics(flags)));
    });

  models
    .command('add')
    .description('find or download a model, check it, try it in a sandboxed process, and keep it under a name')
    .argument('<name>', 'letters, digits, "-" and "_", and dots before digits')
    .argument('<source>', 'a GGUF file, a folder with an ONNX model, or hf:user/repo[:quant]')
    .option('--copy', 'take a read-only copy into the cache folder, which nobody cuts short or overwrites while it runs', false)
    .addOption(purpose('what it is for (default: what its files say)'))
    .addOption(json)
    .addHelpText('after', examples('spillway models add bge ./bge-small-q8_0.gguf --copy', 'spillway models add minilm hf:user/all-MiniLM-L6-v2-GGUF:Q8_0'))
    .action(async (name: string, source: string, flags: Flags) => {
      const { modelsAdd } = await import('./models-command.ts');
      exitWith(await modelsAdd({ ...(await basics(flags)), name, source, copy: flags.copy === true, purposes: only(flags.purpose), stderr, interrupt: interruption() }));
    });

  models
    .command('remove')
    .description('forget a model; a default goes back to the former one')
    .argument('<name>', 'the name of the model')
    .option('--files', 'remove its files, too, if they are a copy or a download in the cache folder', false)
    .addOption(json)
    .addHelpText('after', examples('spillway models remove bge --files'))
    .action(async (name: string, flags: Flags) => {
      const { modelsRemove } = await import('./models-command.ts');
      exitWith(await modelsRemove({ ...(await basics(flags)), name, files: flags.files === true }));
    });

  models
    .command('use')
    .description('make a model the default, which is taken where none is named')
    .argument('<name>', 'the name of the model, or built-in')
    .addOption(purpose('for this only (default: all that it is for)'))
    .addOption(json)
    .addHelpText('after', examples('spillway models use bge', 'spillway models use built-in'))
    .action(async (name: string, flags: Flags) => {
      const { modelsUse } = await import('./models-command.ts');
      exitWith(await modelsUse({ ...(await basics(flags)), name, purposes: only(flags.purpose) }));
    });

  models
    .command('rollback')
    .description('go back to the former default')
    .addOption(purpose('of this purpose (default: of whatever was changed last)'))
    .addOption(json)
    .addHelpText('after', examples('spillway models rollback'))
    .action(async (flags: Flags) => {
      const { modelsRollback } = await import('./models-command.ts');
      exitWith(await modelsRollback({ ...(await basics(flags)), purpose: flags.purpose }));
    });

  models
    .command('check')
    .description('what the files of a model say, and whether it survives its first load; exit code 1 if it is refused')
    .argument('<model>', 'a name, a path or an hf: URI')
    .option('--actors <n>', 'for how many actors memory is estimated (default: one per core)')
    .addOption(purpose('what it is checked for (default: what its files say)'))
    .addOption(json)
    .addHelpText('after', examples('spillway models check ./downloaded.gguf', 'spillway models check bge --json'))
    .action(async (model: string, flags: Flags) => {
      const { modelsCheck } = await import('./models-check-command.ts');
      exitWith(await modelsCheck({ ...(await basics(flags)), model, purpose: flags.purpose, interrupt: interruption() }));
    });
}
