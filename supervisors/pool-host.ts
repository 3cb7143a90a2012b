/**
 * The actor that a pool's threads are made for: it does nothing but make other actors on its thread and
 * end them. They are its children, so they end with it.
 */
import { SpillwayError, defineActor, type ActorContext, type ActorDefinition, type Handlers } from '../kernel/index.ts';
import { poolHostProtocol, type PoolHostSpec } from './pool-messages.ts';

export const poolHost = defineActor<PoolHostSpec, undefined>({
  protocol: poolHostProtocol,
  start: (context) => ({ handlers: handlersOf(context) }),
});

/** The same on threads that park, for actors that await nothing but the kernel's own promises. */
export const parkedPoolHost = defineActor<PoolHostSpec, undefined>({ ...poolHost, waiting: 'park' });

function handlersOf(context: ActorContext): Handlers<PoolHostSpec> {
  return {
    async spawn({ module, export: name, args, name: actorName, restarts }) {
      const definition = await definitionOf(module, name);
      try {
        const ref = context.spawn(definition, args, {
          ...(actorName === '' ? {} : { name: actorName }),
          onFailure: (_, failures) => (failures <= restarts ? 'restart' : 'stop'),
        });
        return { address: ref.address, name: ref.name };
      } catch (error) {
        // What one light actor throws in its start is no defect of the thread that others live on.
        if (error instanceof SpillwayError) throw error;
        throw startFailed(module, name, error);
      }
    },
    async stop({ address }) {
      await context.stop(address);
      return {};
    },
  };
}

async function definitionOf(module: string, name: string): Promise<ActorDefinition> {
  let found: Record<string, unknown>;
  try {
    found = (await import(module)) as Record<string, unknown>;
  } catch (error) {
    throw startFailed(module, name, error);
  }
  const definition = found[name] as ActorDefinition | undefined;
  if (typeof definition?.start !== 'function') throw startFailed(module, name, new TypeError('there is no actor definition of this name'));
  return definition;
}

function startFailed(module: string, name: string, cause: unknown): SpillwayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SpillwayError('actor_start_failed', `Actor '${name}' of ${module} did not start: ${reason}.`, { cause });
}
