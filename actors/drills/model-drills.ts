/** The ends that a model can bring its process to, each while it is in use. */
import { readFileSync, readdirSync, renameSync, truncateSync } from 'node:fs';
import { SpillwayError } from '../../kernel/index.ts';
import type { Drill } from '../../supervisors/index.ts';
import { MODEL_BACKOFF_MS, ModelStage, type ModelFault } from './model-stage.ts';

/** Beyond what the model and its process take, and soon reached. */
const MEMORY_BYTES = 480 * 2 ** 20;

interface ModelDrill extends Pick<Drill, 'name' | 'hypothesis'> {
  readonly fault: ModelFault;
}

function modelDrill({ name, hypothesis, fault }: ModelDrill): Drill {
  return {
    name,
    hypothesis: `${hypothesis} No vector is wrong, and no request is lost: what was on its way is sent again.`,
    blastRadius: 'One child process of this one, made for the drill, and copies of the built-in model below the folder for temporary files.',
    abortAfterMs: 60_000,
    placements: ['process'],
    waits: { backoffMs: MODEL_BACKOFF_MS },
    intensity: { restarts: 3, periodMs: 5_000 },
    restartsExpected: 1,
    unavailable: () => (process.platform === 'linux' ? undefined : 'processes and their memory are looked at in /proc, which only Linux has.'),
    hold: (run) => ModelStage.hold(run, fault),
  };
}

const modelKillDrill = modelDrill({
  name: 'model-kill',
  hypothesis: 'An isolated model that is killed by kill -9 in the middle of its work is started again.',
  fault: {
    code: 'process_signalled',
    message: /SIGKILL/,
    break: ({ modelPath }) => void process.kill(processOf(modelPath), 'SIGKILL'),
  },
});

const modelAbortDrill = modelDrill({
  name: 'model-abort',
  hypothesis: 'An assertion of llama.cpp that fails ends the process of the isolated model, and nothing else.',
  fault: {
    code: 'process_signalled',
    message: /SIGABRT/,
    break: (stage) => stage.fail('assertion'),
  },
});

const modelTruncateDrill = modelDrill({
  name: 'model-truncate',
  hypothesis: 'A model file that is cut short while it is mapped ends the process of the isolated model, which starts again with the file that is put in its place.',
  fault: {
    code: 'process_signalled',
    message: /SIGBUS/,
    break: ({ modelPath }) => truncateSync(modelPath),
    mend: ({ modelPath, sparePath }) => renameSync(sparePath, modelPath),
  },
});

const modelMemoryDrill = modelDrill({
  name: 'model-oom',
  hypothesis: 'An isolated model that takes more memory than it is granted is ended at its limit and started again; the machine does not run out of it.',
  fault: {
    code: 'process_memory_exceeded',
    message: /bytes in memory/,
    memoryBytes: MEMORY_BYTES,
    break: (stage) => stage.fail('memory'),
  },
});

export const MODEL_DRILLS: readonly Drill[] = [modelKillDrill, modelAbortDrill, modelTruncateDrill, modelMemoryDrill];

/** The process below this one that was granted the model; in its sandbox it has another number. */
function processOf(modelPath: string): number {
  const found = below(process.pid).find((pid) => {
    const [command, ...args] = read(`/proc/${pid}/cmdline`).split('\0');
    return command === process.execPath && args.some((argument) => argument.includes(modelPath));
  });
  if (found === undefined) throw new SpillwayError('drill_aborted', 'The process of the model was not found among those that this one has started; no signal is sent.');
  return found;
}

/** All that a process has started, and what they have. */
function below(pid: number): number[] {
  const threads = entries(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number));
  return children.flatMap((child) => [child, ...below(child)]);
}

/** Empty for what has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
