/** Where the definition of an actor is to be found, and how it is loaded from there. */
import type { ActorDefinition } from './actor.ts';

export interface ActorSource {
  /** URL of the module, as `import.meta.resolve` or `new URL('./x.js', import.meta.url).href` gives it. */
  readonly module: string;
  /** Name of the export that is the ActorDefinition. */
  readonly export: string;
  /**
   * Handed to the actor's `start`: plain data, as in an untyped field of a message. With the rest of its
   * spec it has to fit one record of the control lane, half of `DEFAULT_LANE_SIZES.controlBytes`.
   */
  readonly args?: unknown;
}

/** @throws what the module throws while it loads; TypeError if it has no such definition */
export async function loadDefinition(source: ActorSource): Promise<ActorDefinition> {
  const module = (await import(source.module)) as Record<string, unknown>;
  const definition = module[source.export] as ActorDefinition | undefined;
  if (typeof definition?.start !== 'function') {
    throw new TypeError(`${source.module} has no export '${source.export}' that is an actor definition.`);
  }
  return definition;
}
