export { MODEL_DRILLS } from './model-drills.ts';
export { nativeDrill } from './native-ends.ts';
export { STORAGE_DRILLS } from './storage-drills.ts';
