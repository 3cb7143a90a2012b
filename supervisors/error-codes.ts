/** Every code that an error of this folder may carry. `docs/reference/errors.md` is held to this table. */
export const SUPERVISOR_ERRORS = {
  spec_invalid: 'A child spec or the flags of a supervisor are wrong; the message names the field, what was expected and what came.',
  child_exists: 'The supervisor already has a child with this id.',
  child_unknown: 'The supervisor has no child with this id.',
  not_in_pool: 'The actor does not live on a thread of this pool.',
  restart_intensity: 'A child failed more often than the supervisor permits, so it stopped all its children.',
} as const;

export type SupervisorErrorCode = keyof typeof SUPERVISOR_ERRORS;
