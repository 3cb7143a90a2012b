/** What the nightly run is made of, so that threads can share it: one scenario walked in all ways, or at random for a while. */
import { type Exploration, explore } from './explorer.ts';
import { scenarioNamed } from './catalog.ts';
import type { Patch } from './ring-source.ts';
import { loadRings } from './ring-source.ts';
import { type Walks, walk } from './walk.ts';

export type Task =
  | { readonly kind: 'explore'; readonly scenario: string; readonly statesMax: number; readonly patches: readonly Patch[] }
  | { readonly kind: 'walk'; readonly scenario: string; readonly schedules: number; readonly seed: number };

export type TaskResult =
  | { readonly kind: 'explore'; readonly exploration: Exploration }
  | { readonly kind: 'walk'; readonly walks: Walks };

export async function runTask(task: Task): Promise<TaskResult> {
  const scenario = scenarioNamed(task.scenario);
  if (task.kind === 'walk') return { kind: 'walk', walks: walk(scenario, await loadRings(), task) };
  return { kind: 'explore', exploration: explore(scenario, await loadRings(task.patches), task) };
}
