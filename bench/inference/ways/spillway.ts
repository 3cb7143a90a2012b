/**
 * Spillway on all cores, as an application calls it: on threads, or with the model isolated in processes; or with its choices by
 * length switched off (unrouted-actor.ts).
 */
import { createEmbedder } from '../../../actors/index.ts';
import { inferenceProtocol, type InferenceSpec } from '../../../actors/inference/index.ts';
import { orderedWindow } from '../../../actors/inference/ordered-window.ts';
import { EmbedScheduler, actorWorker } from '../../../actors/inference/scheduling/index.ts';
import { siblingModule, systemClock, type ActorRef } from '../../../kernel/index.ts';
import { createSystem } from '../../../supervisors/index.ts';
import type { Entrant } from '../task.ts';
import { onlyVariant, type Variants } from '../way.ts';

/** How an embedder hands a call to its scheduler: in pieces of so many texts, so many pieces ahead. */
const PIECE_TEXTS = 32;
const WINDOW = { pieces: 16, units: 4 * 1024 * 1024, sizeOf: () => 0 };
const DEADLINE_MS = 120_000;

export async function spillway({ way, model: { path }, cores }: Entrant): Promise<Variants> {
  const system = await createSystem();
  const embedder = await createEmbedder(system, { model: path, actors: cores, isolate: way === 'Spillway, isolated' });
  return onlyVariant({
    embed: (texts) => embedder.embed(texts, { priority: 'bulk' }),
    embedUrgent: (text) => embedder.embed([text], { priority: 'interactive' }),
    close: () => system.close(),
  });
}

/** The same scheduler and as many actors, whose backends take every text the same way. */
export async function spillwayUnrouted({ model, cores }: Entrant): Promise<Variants> {
  const system = await createSystem();
  const refs: ActorRef<InferenceSpec>[] = [];
  for (let index = 0; index < cores; index++) {
    refs.push(await system.spawn({ id: `unrouted-${index}`, start: { module: siblingModule('unrouted-actor', import.meta.url), export: 'unrouted', args: model }, native: true }, inferenceProtocol));
  }
  const info = await refs[0]!.ask('load', {}, { deadlineMs: DEADLINE_MS });
  const scheduler = new EmbedScheduler({ workers: refs.map((ref) => actorWorker(ref, info.dimensions)), model: info, clock: systemClock, cacheBytes: 0 });
  return onlyVariant({
    async embed(texts) {
      const rows: Float32Array[] = [];
      const starts = Array.from({ length: Math.ceil(texts.length / PIECE_TEXTS) }, (_, piece) => piece * PIECE_TEXTS);
      const embed = (start: number) => scheduler.embed({ texts: texts.slice(start, start + PIECE_TEXTS), priority: 'bulk', deadlineMs: DEADLINE_MS });
      for await (const piece of orderedWindow(starts, embed, WINDOW)) rows.push(...piece.map(({ vector }) => vector));
      return rows;
    },
    close: () => system.close(),
  });
}
