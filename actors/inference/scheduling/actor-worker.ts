/**
 * An inference actor as a worker of the scheduler: urgent texts go by the control lane, past the batch that the
 * actor has in hand, as far as they and their vectors fit into its records.
 */
import { SpillwayError, type ActorRef } from '../../../kernel/index.ts';
import type { InferenceSpec } from '../messages.ts';
import type { EmbedReply, EmbedWorker, UnitOptions } from './embed-request.ts';
import { URGENT_UNITS_MAX, urgentTextsMax } from './message-limits.ts';

/** @param dimensions of the actor's model, which say how many vectors fit into one answer */
export function actorWorker(ref: ActorRef<InferenceSpec>, dimensions: number): EmbedWorker {
  const textsMax = urgentTextsMax(dimensions);
  return {
    async embed(texts: readonly string[], { urgent, truncate, deadlineMs, signal }: UnitOptions): Promise<EmbedReply> {
      const request = { texts: [...texts], ...(truncate === undefined ? {} : { truncate }) };
      const options = { deadlineMs, ...(signal === undefined ? {} : { signal }) };
      if (!urgent || texts.length > textsMax || unitsOf(texts) > URGENT_UNITS_MAX) return ref.ask('embed', request, options);
      try {
        return await ref.ask('embedUrgent', request, options);
      } catch (error) {
        // The system may have been given smaller control lanes.
        if (error instanceof SpillwayError && error.code === 'message_too_large') return ref.ask('embed', request, options);
        throw error;
      }
    },
  };
}

function unitsOf(texts: readonly string[]): number {
  let units = 0;
  for (const { length } of texts) units += length;
  return units;
}
