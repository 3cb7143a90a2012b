/** Spillway on all cores, as an application calls it; or with its choices by length switched off, to see what they are worth. */
import { createEmbedder } from '../../../actors/index.ts';
import { createSystem } from '../../../supervisors/index.ts';
import type { Entrant } from '../task.ts';
import { onlyVariant, type Variants } from '../way.ts';

export async function spillway({ model: { path }, cores }: Entrant): Promise<Variants> {
  const system = await createSystem();
  const embedder = await createEmbedder(system, { model: path, actors: cores });
  return onlyVariant({
    embed: (texts) => embedder.embed(texts, { priority: 'bulk' }),
    embedUrgent: (text) => embedder.embed([text], { priority: 'interactive' }),
    close: () => system.close(),
  });
}
