/** The drills of what is stored, beside those that the supervisors bring along. */
import type { Drill } from '../../supervisors/index.ts';
import { diskFullDrill } from './disk-full.ts';
import { fsyncFailsDrill } from './fsync-fails.ts';

export const STORAGE_DRILLS: readonly Drill[] = [diskFullDrill, fsyncFailsDrill];
