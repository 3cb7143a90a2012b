/** Every code that a kernel error may carry, with what it means. `docs/reference/errors.md` is held to this table. */
export const KERNEL_ERRORS = {
  ask_deadline: 'No answer came before the deadline of the ask. It may have been handled.',
  ask_cancelled: 'The caller cancelled the ask. It may have been handled.',
  ask_refused: 'The lane to the actor had no room, so the message was not sent. Try again later.',
  actor_restarted: 'The actor failed while the ask was on its way; `details.mayHaveBeenHandled` says whether it was taken.',
  actor_stopped: 'The actor has stopped for good, or stopped before it answered.',
  actor_unknown: 'No actor has this name or address. `details.name` says which was looked up.',
  actor_start_failed: 'The actor could not be started; the cause says why.',
  message_invalid: 'The message does not fit its protocol; the message names the field, what was expected and what came.',
  message_too_large: 'The encoded message is longer than the lane takes; send it in parts or give the actor a larger mailbox.',
  value_refused: 'An untyped value is nested too deeply or has a key that is not permitted.',
  config_invalid: 'The configuration has an unknown key or a value out of range; the message names both.',
  too_many_threads: 'The system has no free thread slot; raise `maxThreads`.',
  system_closed: 'The system is closing or closed.',
  shutdown_deadline: 'Not everything had stopped when the shutdown deadline passed; `details.still` names what had not.',
} as const;

export type KernelErrorCode = keyof typeof KERNEL_ERRORS;
