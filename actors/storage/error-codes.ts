/**
 * The operating errors of the storage room, one line each: what it means and what to do.
 */
export const STORAGE_ERRORS = {
  index_missing: 'There is no index in the folder. Make one with `spillway embed <path>`.',
  index_locked: 'Another process writes the index. Wait for it to end; the message says who it is.',
  index_unwritable: 'The index folder cannot be made or written. Correct its permissions or choose another with --index.',
  index_unreadable: 'The index exists but cannot be opened for reading. Correct its permissions.',
  index_corrupt: 'The index is damaged or is not a Spillway index. Delete the index folder and embed again.',
  index_version: 'The index was written by a newer Spillway. Upgrade, or use another index folder.',
  index_model_mismatch: 'The index was made with another model. Use that model, or pass --rebuild to embed again.',
  index_settings_mismatch: 'The index was made with other chunk settings. Use those, or pass --rebuild to embed again.',
  index_root_mismatch: 'The index belongs to another root folder. Use another --index, or pass --rebuild.',
  run_not_begun: 'A message that writes came while no run was open, as after a restart of the actor. Send `begin` first.',
  dimension_mismatch: 'A vector does not have the number of dimensions of the index. Use the model that made it.',
  vector_invalid: 'A vector is zero or holds a value that is not finite, so it has no direction. Check the model.',
  rollback_unavailable: 'No former generation is kept, so there is nothing to roll back to. Embed again instead.',
  storage_full: 'The disk, or the size allowed to the index, is full. Free space and run again; the index is as before.',
  storage_failed: 'Reading or writing the index failed. Check the disk and run again; the index continues from its last commit.',
} as const;

export type StorageErrorCode = keyof typeof STORAGE_ERRORS;
