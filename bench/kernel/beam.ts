/** Erlang's side, beam-peer.erl, compiled into a temporary folder for as long as it is measured. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { output, type Placement } from './launch.ts';
import type { Reports, ScenarioNamed } from './task.ts';

const SOURCE = fileURLToPath(new URL('./beam-peer.erl', import.meta.url));
const VERSION = 'io:format("OTP ~s, ERTS ~s, ~s", [erlang:system_info(otp_release), erlang:system_info(version), erlang:system_info(emu_flavor)]), halt().';
/** As is, a scheduler without work spins for a while before it sleeps. */
const NO_BUSY_WAIT = ['+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none'];
/** It would be written to the folder that the bench was started in. */
const NO_CRASH_DUMP = ['-env', 'ERL_CRASH_DUMP_SECONDS', '0'];
const run = promisify(execFile);

export type BeamScenario = ScenarioNamed<'flow' | 'local' | 'trips' | 'crowd'>;

export interface Beam {
  readonly version: string;
  measure(scenario: BeamScenario, placement?: Placement): Promise<Reports[BeamScenario['name']]>;
  remove(): Promise<void>;
}

/** Compiles the peer, or answers `undefined` where there is no `erl` and `erlc`. */
export async function compileBeam(): Promise<Beam | undefined> {
  const version = await run('erl', ['-noshell', '-eval', VERSION]).catch(() => undefined);
  if (version === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'spillway-kernel-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await run('erlc', ['-o', folder, SOURCE]);
  } catch (error) {
    await remove();
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return {
    version: version.stdout,
    async measure(scenario, placement = 'as placed') {
      const { schedulers, words } = taskOf(scenario);
      const waiting = scenario.way === 'BEAM, no busy wait' ? NO_BUSY_WAIT : [];
      const command = ['erl', '-noshell', ...NO_CRASH_DUMP, '+S', `${schedulers}:${schedulers}`, ...waiting, '-pa', folder, '-run', 'beam-peer', 'main', ...words.map(String)];
      return JSON.parse(await output(command, placement)) as Reports[BeamScenario['name']];
    },
    remove,
  };
}

/** How many schedulers, and the scenario in the words of beam-peer.erl. */
function taskOf(scenario: BeamScenario): { readonly schedulers: number; readonly words: readonly (string | number)[] } {
  switch (scenario.name) {
    case 'flow':
      return { schedulers: 2, words: ['flow', scenario.count, 1, 2] };
    case 'local':
      return { schedulers: 1, words: ['flow', scenario.count, 1, 1] };
    case 'trips':
      return { schedulers: 2, words: ['trips', scenario.count, 1, 2] };
    default:
      return { schedulers: 1, words: ['crowd', scenario.actors, scenario.laps] };
  }
}
