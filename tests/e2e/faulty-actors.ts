/**
 * Actors that fail on purpose, each the real one with a fault put around it. Which call fails follows
 * from a seed or a count, so a run can be repeated; an actor's incarnation tells its lives apart.
 */
import { defineActor, type ActorDefinition, type ProtocolSpec } from '../../kernel/index.ts';
import { inference as realInference, type InferenceArgs } from '../../actors/inference/actor.ts';
import { ingestion as realIngestion } from '../../actors/ingestion/actor.ts';
import { storage as realStorage, type StorageArgs } from '../../actors/storage/actor.ts';
import type { InferenceSpec } from '../../actors/inference/messages.ts';
import type { StorageSpec } from '../../actors/storage/messages.ts';
import { randomFrom } from './sample-folder.ts';

export interface FaultyInferenceArgs extends InferenceArgs {
  readonly seed: number;
  /** How likely a batch fails, half of the time before it is embedded and else after. */
  readonly faultRate: number;
}

export const throwingInference = defineActor<InferenceSpec, FaultyInferenceArgs>({
  ...realInference,
  async start(context, args) {
    const random = randomFrom(args.seed + context.incarnation);
    const behaviour = await realInference.start(context, args);
    return {
      ...behaviour,
      handlers: {
        ...behaviour.handlers,
        async embed(request, message) {
          const fate = random();
          if (fate < args.faultRate / 2) throw new Error('a fault before the batch');
          const reply = await behaviour.handlers.embed(request, message);
          if (fate < args.faultRate) throw new Error('a fault after the batch');
          return reply;
        },
      },
    };
  },
});

/** Its thread leaves the process's control: no crash message, no `stop`. */
export const exitingInference = defineActor<InferenceSpec, InferenceArgs>({
  ...realInference,
  async start(context, args) {
    const behaviour = await realInference.start(context, args);
    let batches = 0;
    return {
      ...behaviour,
      handlers: {
        ...behaviour.handlers,
        embed(request, message) {
          if (context.incarnation <= 2 && ++batches === 3) process.exit(7);
          return behaviour.handlers.embed(request, message);
        },
      },
    };
  },
});
