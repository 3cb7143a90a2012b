export { STORAGE_DRILLS } from './storage-drills.ts';
