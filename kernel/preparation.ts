/**
 * What an actor gets ready before it starts, such as a model that takes seconds to load. An actor that names
 * this part of its start, `prepare`, can have it done ahead of time by a thread that stands by; without one it
 * is done in the same life, just before `start`.
 *
 * What is prepared has one owner: this file until `start` has returned, and the actor from then on. Whatever
 * never comes into the actor's hands is given back through `discard`.
 */
import { inspect } from 'node:util';
import { loadDefinition, type ActorSource } from './actor-source.ts';
import type { ActorContext, ActorDefinition, Behaviour } from './actor.ts';
import type { ProtocolSpec } from './protocol.ts';
import { untypedValue } from './untyped-value.ts';

/** Of what an actor says of itself: half of what a record of the control lane takes, which holds more than that. */
const INFO_BYTES_MAX = 16_384;

/** A definition, and what it has prepared for one life. */
export interface PreparedActor {
  readonly definition: ActorDefinition;
  readonly prepared: unknown;
}

/** @throws what the module throws while it loads, or what `prepare` throws; TypeError if there is no such definition */
export async function prepareActor(source: ActorSource): Promise<PreparedActor> {
  return prepareDefinition(await loadDefinition(source), source.args);
}

/** @throws what `prepare` throws */
export async function prepareDefinition(definition: ActorDefinition, args: unknown): Promise<PreparedActor> {
  return { definition, prepared: await definition.prepare?.(args as never) };
}

/** Prepares and starts an actor in one; at once where neither takes time. */
export function startActor<Spec extends ProtocolSpec>(definition: ActorDefinition<Spec>, context: ActorContext, args: unknown): Behaviour<Spec> | Promise<Behaviour<Spec>> {
  const prepared = definition.prepare?.(args as never);
  if (prepared instanceof Promise) return prepared.then((value) => startWith(definition, context, args, value));
  return startWith(definition, context, args, prepared);
}

/** Starts an actor with what was prepared for it, which is given back if the start fails. */
export function startWith<Spec extends ProtocolSpec>(definition: ActorDefinition<Spec>, context: ActorContext, args: unknown, prepared: unknown): Behaviour<Spec> | Promise<Behaviour<Spec>> {
  if (definition.prepare !== undefined) return startOrDiscard(definition, context, args, prepared);
  const starting = definition.start(context, args, prepared);
  return starting instanceof Promise ? starting.then((behaviour) => checked(behaviour, context)) : checked(starting, context);
}

async function startOrDiscard<Spec extends ProtocolSpec>(definition: ActorDefinition<Spec>, context: ActorContext, args: unknown, prepared: unknown): Promise<Behaviour<Spec>> {
  try {
    return checked(await definition.start(context, args, prepared), context);
  } catch (error) {
    // What is to be told is why it did not start; that it could not let go either comes on top of it.
    await discard({ definition: definition as ActorDefinition, prepared }).catch((cause: unknown) => context.log.error('what was prepared could not be discarded', { error: String(cause) }));
    throw error;
  }
}

/** Without handlers it would fail at its first message, far from where the mistake is. @throws TypeError */
function checked<Spec extends ProtocolSpec>(behaviour: Behaviour<Spec>, context: ActorContext): Behaviour<Spec> {
  const handlers: unknown = (behaviour as Partial<Behaviour<Spec>> | undefined)?.handlers;
  if (typeof handlers !== 'object' || handlers === null) throw new TypeError(`The start of actor ${context.name} must return its handlers as { handlers }, or ignored(); it returned ${inspect(behaviour, { depth: 0 })}.`);
  try {
    checkInfo(behaviour.info, context.name);
  } catch (error) {
    void release(behaviour, context);
    throw error;
  }
  return behaviour;
}

/** It has to travel to whoever had the actor started. @throws TypeError */
function checkInfo(info: unknown, name: string): void {
  if (info === undefined) return;
  let byteLength: number;
  try {
    ({ byteLength } = untypedValue.encode(info));
  } catch (cause) {
    throw new TypeError(`The info that actor ${name} gives of itself must be plain data: ${(cause as Error).message}`, { cause });
  }
  if (byteLength > INFO_BYTES_MAX) throw new TypeError(`The info that actor ${name} gives of itself takes ${byteLength} bytes; it may take ${INFO_BYTES_MAX}.`);
}

async function release<Spec extends ProtocolSpec>(behaviour: Behaviour<Spec>, { log }: ActorContext): Promise<void> {
  try {
    await behaviour.stop?.('crashed');
  } catch (error) {
    log.error('an actor failed while it stopped', { error: String(error) });
  }
}

/** Gives back what was prepared and is not used. @throws what `discard` throws */
export async function discard({ definition, prepared }: PreparedActor): Promise<void> {
  await definition.discard?.(prepared as never);
}
