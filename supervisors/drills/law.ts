/**
 * The accounting law, read from shared memory: every message that came to an actor has come to one end, or
 * still waits (docs/reference/semantics.md, [S83]).
 */
import { DEAD_LETTER_REASONS, SHED_REASONS, type Inspection, type ThreadCounter } from '../../kernel/index.ts';

/** One sentence for each actor whose counts do not add up. */
export function lawBreaches({ threads }: Inspection): string[] {
  return threads.flatMap(({ actors }) =>
    actors.flatMap(({ name, level, counts }) => {
      const { arrived, handled, failed, shed, expired, deadLettered } = counts;
      const ended = handled + failed + shed + expired + deadLettered;
      return arrived === ended + level ? [] : [`${name}: ${arrived} arrived, ${ended} ended, ${level} wait`];
    }),
  );
}

/** Counted where an answer came to nothing, and no message. */
const OF_ANSWERS: ReadonlySet<string> = new Set(['stale_reply', 'reply_refused']);
const ENDS_UNHANDLED: readonly ThreadCounter[] = [...new Set<ThreadCounter>([...DEAD_LETTER_REASONS, ...SHED_REASONS])].filter((reason) => !OF_ANSWERS.has(reason));

/**
 * The law from the senders' side: what they got rid of and the ledger does not know was counted by the system
 * under some reason. A message whose effect is in the ledger may have been in hand when its actor ended, and
 * is then counted as well; hence the latitude.
 * @param thread where the subject lives, and nobody else who loses messages
 * @param missing messages that were taken and whose effect is nowhere
 * @param latitude messages that were handled, and may be counted as well: nobody was told of them, or they were in hand at the end
 * @param unsent messages that were handled, and what their handlers had sent may have ended with their process
 * @returns a sentence, if it does not add up
 */
export function unexplained({ threads }: Inspection, thread: number, missing: number, latitude: number, unsent = 0): string[] {
  const subject = threads.find(({ id }) => id === thread);
  if (subject === undefined) return [];
  const { counters } = subject;
  const counted = ENDS_UNHANDLED.reduce((sum, reason) => sum + counters[reason], counters.failed);
  if (counted >= missing - unsent && counted <= missing + latitude) return [];
  const reasons = ['failed' as const, ...ENDS_UNHANDLED].flatMap((reason) => (counters[reason] === 0 ? [] : [`${reason} ${counters[reason]}`]));
  return [`${missing} messages ended without a handler, and ${counted} are counted as such: ${reasons.join(', ')}`];
}
