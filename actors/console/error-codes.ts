/**
 * The codes that the command line itself reports, in `--json` and in brackets after a message; all
 * others come from the rooms below.
 */
export const CONSOLE_ERRORS = {
  query_empty: 'The query has no words that the model sees. Give a few words to look for.',
  query_refused: 'The query was not embedded, for instance because it is longer than the model takes. Shorten it.',
  report_unwritable: 'The file for the report cannot be written. Choose another path; nothing was run.',
  unexpected: 'An error without a code of its own, so a defect. Report it with the message and the command.',
} as const;

export type ConsoleErrorCode = keyof typeof CONSOLE_ERRORS;
