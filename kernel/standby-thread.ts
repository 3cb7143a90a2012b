/**
 * A thread that stands by: it has loaded the kernel and the actor's module, has done what the actor prepares
 * ahead, and then waits in its event loop, without turning, for the life that it is to lead.
 *
 *   guardian ── StandbyOrder ──> standby    begin this life, or end
 *   guardian <── StandbyNews ── standby     ready, or why not
 *
 * It is no part of the system before it is given a life: it has no place, no lanes and no address.
 */
import assert from 'node:assert';
import { parentPort, workerData } from 'node:worker_threads';
import { loadDefinition, type ActorSource } from './actor-source.ts';
import { discard, prepareDefinition, type PreparedActor } from './preparation.ts';
import { rehearse } from './rehearsal.ts';
import type { ThreadBoot } from './thread-boot.ts';
import { startThread } from './thread-start.ts';
import { described } from './thrown.ts';

export type StandbyOrder = { readonly order: 'begin'; readonly boot: ThreadBoot } | { readonly order: 'end' };

export type StandbyNews = { readonly news: 'ready' } | { readonly news: 'failed'; readonly message: string; readonly stack: string };

/** The engine makes better code of a function, and takes its time for that, when it has been called a few times. */
const REHEARSALS = 8;

export async function standBy(): Promise<void> {
  assert(parentPort !== null, 'A standby entry runs in a worker thread.');
  const port = parentPort;
  const tell = (news: StandbyNews): void => port.postMessage(news);
  let preparing = rehearseAndPrepare(workerData as ActorSource);
  const fail = (error: unknown): void => {
    // It goes on waiting for its order: it may have been given a life already, which then fails with this error.
    tell({ news: 'failed', ...described(error) });
  };
  const onDefect = (reason: unknown): void => {
    preparing = failed(preparing, reason);
    preparing.catch(fail);
  };
  // Until it leads a life, which has its own way to end.
  process.on('uncaughtException', onDefect).on('unhandledRejection', onDefect);
  preparing.then(() => tell({ news: 'ready' }), fail);
  const order = await new Promise<StandbyOrder>((resolve) => port.once('message', resolve));
  process.off('uncaughtException', onDefect).off('unhandledRejection', onDefect);
  if (order.order === 'begin') return startThread(order.boot, () => preparing);
  // Never in the middle of what it prepares: that may be a native call, whose thread must not end.
  await letGo(preparing);
  process.exit(0);
}

async function rehearseAndPrepare(source: ActorSource): Promise<PreparedActor> {
  const definition = await loadDefinition(source);
  for (let count = 0; count < REHEARSALS; count++) await rehearse(definition);
  return prepareDefinition(definition, source.args);
}

/** @throws the reason, once what was prepared has been given back */
async function failed(preparing: Promise<PreparedActor>, reason: unknown): Promise<never> {
  await letGo(preparing);
  throw reason;
}

/** Gives back what was prepared once it is there. Never rejects. */
async function letGo(preparing: Promise<PreparedActor>): Promise<void> {
  try {
    await discard(await preparing);
  } catch {
    // There is nothing to give back, or no way to: either way the thread ends now, and nobody waits for an answer.
  }
}
