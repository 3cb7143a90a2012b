/**
 * The operating errors of the ingestion room. A fault of one file is never an error: it is a skip
 * with a reason, and the run goes on. Only what makes the whole run pointless is thrown.
 */
export const INGESTION_ERRORS = {
  path_missing: 'A path given to embed does not exist. Check the spelling and the current folder.',
  path_unreadable: 'A path given to embed cannot be opened, or is neither a folder nor a regular file. Check its permissions and its type.',
  run_in_progress: 'The ingestion actor already works on a run. Wait until it ends, or interrupt it.',
  sanitizer_failed: 'The secret scanner stopped on a file, so its text was not passed on. Exclude the file and report the rule that is named.',
} as const;

export type IngestionErrorCode = keyof typeof INGESTION_ERRORS;
