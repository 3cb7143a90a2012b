/**
 * The actor that a pool's threads are made for: it does nothing but make other actors on its thread and
 * end them. They are its children, so they end with it.
 */
import { SpillwayError, defineActor, loadDefinition, type ActorContext, type ActorDefinition, type ActorLives, type Handlers, type ThreadExit } from '../kernel/index.ts';
import { supervisorProtocol } from './messages.ts';
import { poolHostProtocol, type PoolHostSpec } from './pool-messages.ts';

export const poolHost = defineActor<PoolHostSpec, undefined>({
  protocol: poolHostProtocol,
  start: (context) => ({ handlers: handlersOf(context) }),
});

/** The same on threads that park, for actors that await nothing but the kernel's own promises. */
export const parkedPoolHost = defineActor<PoolHostSpec, undefined>({ ...poolHost, waiting: 'park' });

/** How long the end of a life may wait for room on its way to the tree, which must hear of it. */
const TELL_MS = 60_000;

function handlersOf(context: ActorContext): Handlers<PoolHostSpec> {
  const children = new Map<number, ActorLives>();
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
        throw startFailed(module, name, error);
      }
    },
    async stop({ address }) {
      await context.stop(address);
      return {};
    },
    async begin({ child, module, export: exported, args, name, address }, { from }) {
      let lives = children.get(child);
      if (lives === undefined) {
        const definition = await definitionOf(module, exported);
        lives = context.lives({ definition, args, name, ...(address === undefined ? {} : { address }) });
        children.set(child, lives);
      }
      const tree = context.ref(from, supervisorProtocol);
      const onExit = ({ reason, code, message, stack }: ThreadExit): void => {
        void tree.send('lifeEnded', { child, reason, code, message, stack }, { deadlineMs: TELL_MS }).catch((error: unknown) => context.log.error('the end of a child could not be told', { child: name, error: String(error) }));
      };
      try {
        const { isIgnored, info } = await lives.start(onExit);
        return { address: lives.address, isIgnored, ...(info === undefined ? {} : { info }) };
      } catch (error) {
        throw startFailed(module, exported, error);
      }
    },
    async end({ child, deadlineMs }) {
      const lives = children.get(child);
      if (deadlineMs > 0) await lives?.stop(deadlineMs);
      else lives?.kill();
      return {};
    },
    remove({ child, hasCrashed, message }) {
      children.get(child)?.remove(hasCrashed ? 'crashed' : 'shutdown', message);
      children.delete(child);
    },
  };
}

async function definitionOf(module: string, name: string): Promise<ActorDefinition> {
  try {
    return await loadDefinition({ module, export: name });
  } catch (error) {
    throw startFailed(module, name, error);
  }
}

/** What one light actor throws in its start is no defect of the thread that others live on. */
function startFailed(module: string, name: string, cause: unknown): SpillwayError {
  if (cause instanceof SpillwayError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SpillwayError('actor_start_failed', `Actor '${name}' of ${module} did not start: ${reason}.`, { cause });
}
