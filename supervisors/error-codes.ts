/** Every code that an error of this folder may carry. `docs/reference/errors.md` is held to this table. */
export const SUPERVISOR_ERRORS = {
  spec_invalid: 'A child spec or the flags of a supervisor are wrong; the message names the field, what was expected and what came.',
  child_exists: 'The supervisor already has a child with this id.',
  child_running: 'The child has a life, or is about to get one; terminate it first. `details.state` says which.',
  child_unknown: 'The supervisor has no child with this id, or there is no supervisor at this path at present.',
  child_killed: 'The life of the child was ended at once, on request or because it was not ready in time.',
  supervisor_dynamic: 'The call is not for a supervisor with simple_one_for_one, whose children are forgotten when they end.',
  start_deadline: 'A child was not ready within its startMs and was ended.',
  drill_unknown: 'There is no drill of this name; the message lists those that there are.',
  drill_invalid: 'The runs, the seed or the placement of a drill are wrong; the message says what was expected.',
  drill_unavailable: 'This machine lacks what the drill takes; the message says what.',
  drill_aborted: 'The abort rule of a drill fired before the run was over.',
  not_in_pool: 'The actor does not live on a thread of this pool.',
  restart_intensity: 'A child failed more often than the supervisor permits, so it stopped all its children.',
} as const;

export type SupervisorErrorCode = keyof typeof SUPERVISOR_ERRORS;
