/**
 * A life in play, led by a thread that stands by: it starts an actor that does nothing, handles a message, fails
 * and releases what it holds, in memory of its own. The engine compiles a function when it is first called,
 * and the kernel makes the codec of a message when it is first sent; without the rehearsal both would be
 * done between the fault and the next life, and again on the way to the fault after that.
 *
 *   rehearsed thread 2 <── link ──> guardian 1, played by the same thread
 */
import type { ActorDefinition } from './actor.ts';
import { ACTOR_SLOT, GUARDIAN_THREAD, addressOf } from './address.ts';
import { Board } from './board.ts';
import { Caretaker } from './caretaker.ts';
import { systemClock } from './clock.ts';
import { createLink, reverseLink, type PeerLink } from './link.ts';
import type { Protocol } from './protocol.ts';
import { createSystemMemory } from './thread-block.ts';
import { ThreadLoop } from './thread-loop.ts';
import { ThreadRuntime, type ThreadRuntimeOptions } from './thread-runtime.ts';
import { systemRandom } from './time/random.ts';

const THREAD = 2;
const THREADS = 3;
/** Whether the records of the play find room is of no matter. */
const LANE_BYTES = 16 * 1024;

/** Makes the codecs of all messages. @returns how many there are */
function compileCodecs(protocol: Protocol): number {
  const messages = Object.keys(protocol.spec).map((name) => protocol.message(name));
  // Each is made by being asked for.
  return messages.flatMap(({ request, reply, item }) => [request, reply, item]).filter((codec) => codec !== undefined).length;
}

/** Resolves when the life is over. */
export async function rehearse({ protocol }: ActorDefinition): Promise<void> {
  const system = createSystemMemory(THREADS);
  const lanes = { controlBytes: LANE_BYTES, dataBytes: LANE_BYTES, telemetryBytes: LANE_BYTES };
  const board = Board.create();
  const toGuardian: PeerLink = { peer: addressOf(GUARDIAN_THREAD, ACTOR_SLOT), board: Board.create(), outbound: createLink(lanes), inbound: createLink(lanes) };
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const runtimeOf = (thread: number, ownBoard: SharedArrayBuffer, hooks: Pick<ThreadRuntimeOptions, 'onDefect' | 'behaviourOf' | 'connect'>): ThreadRuntime =>
    new ThreadRuntime({ self: addressOf(thread, ACTOR_SLOT), incarnation: 1, system, board: ownBoard, clock: systemClock, logLevel: 'error', ...hooks });
  const caretaker = new Caretaker({
    makeRuntime: (hooks) => runtimeOf(THREAD, board, hooks),
    name: 'rehearsal',
    random: systemRandom,
    port: () => undefined,
    native: false,
    setWaiting: () => {},
    exit: () => end(),
  });
  const { runtime } = caretaker;
  runtime.addLink(toGuardian);
  const guardian = runtimeOf(GUARDIAN_THREAD, toGuardian.board, { onDefect: () => {}, behaviourOf: () => ({ handlers: {} }), connect: () => {} });
  guardian.addLink(reverseLink(toGuardian, { peer: runtime.self, board }));
  compileCodecs(protocol);
  const definition: ActorDefinition = { protocol, start: () => ({ handlers: {}, stop: () => {} }) };
  const loop = new ThreadLoop(runtime, 0).run();
  await caretaker.start(() => Promise.resolve({ definition, prepared: undefined }), undefined);
  guardian.tellOnce(THREAD, 'linkReady', {});
  await new Promise<void>((resolve) => runtime.after(1, resolve));
  void caretaker.crash(new Error('rehearsed'));
  await over;
  runtime.end();
  await loop;
}
