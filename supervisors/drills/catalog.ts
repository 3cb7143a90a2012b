/** The drills that the supervisors bring along, by name. */
import { SpillwayError } from '../../kernel/index.ts';
import { exitDrill, hangDrill, memoryDrill, rejectDrill, terminateDrill, throwDrill } from './crash-drills.ts';
import type { Drill } from './drill.ts';
import { ringFullDrill, slowConsumerDrill, telemetryFloodDrill } from './pressure-drills.ts';
import { sigkillDrill, sigsegvDrill, sigstopDrill } from './signal-drills.ts';
import { BLOCKED_MS, blockedApplicationDrill, clockJumpDrill } from './time-drills.ts';

export const DRILLS: readonly Drill[] = [
  throwDrill,
  rejectDrill,
  hangDrill,
  exitDrill,
  terminateDrill,
  memoryDrill,
  sigkillDrill,
  sigsegvDrill,
  sigstopDrill,
  ringFullDrill,
  telemetryFloodDrill,
  slowConsumerDrill,
  clockJumpDrill,
  blockedApplicationDrill(BLOCKED_MS),
];

/** @throws SpillwayError `drill_unknown` */
export function drillNamed(name: string, drills: readonly Drill[] = DRILLS): Drill {
  const found = drills.find((drill) => drill.name === name);
  if (found !== undefined) return found;
  throw new SpillwayError('drill_unknown', `There is no drill '${name}'. There are: ${drills.map((drill) => drill.name).join(', ')}.`, { details: { name } });
}
