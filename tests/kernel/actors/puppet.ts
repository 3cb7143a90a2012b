/**
 * An actor for tests that records what it handles and does what it is told from outside, so that a test
 * reads from top to bottom although its actors live on other threads.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { SpillwayError, defineActor, type ActorContext, type ActorDefinition, type Handlers } from '../../../kernel/index.ts';
import { commandsOf, type PuppetState } from './puppet-commands.ts';
import { puppetProtocol, type PuppetArgs, type PuppetSpec } from './puppet-protocol.ts';

/** Counts the messages of all puppets of one thread, to tell which came before which. */
let lastTurn = 0;

async function* itemsOf(state: PuppetState, count: number, ending: string): AsyncGenerator<{ number: number }> {
  try {
    for (let item = 0; item < count; item++) {
      state.record(`item ${item}`);
      yield { number: item };
    }
    if (ending === 'error') throw new SpillwayError('told_to_fail', 'told to fail behind the items');
    if (ending === 'defect') throw new Error('told to crash behind the items');
    if (ending === 'never') await state.held('items');
  } finally {
    state.record('items over');
  }
}

function handlersOf(context: ActorContext, state: PuppetState): Handlers<PuppetSpec> {
  const { record } = state;
  const commands = commandsOf(context, state) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const life = context.incarnation;
  return {
    note: ({ number }) => record(`note ${number}`),
    gauge: ({ number }) => record(`gauge ${number}`),
    urgent: ({ number }) => record(`urgent ${number}`),
    echo({ text }) {
      record(`echo ${text}`);
      return { text, life };
    },
    urgentEcho: ({ text }) => ({ text, life }),
    value: ({ value }) => ({ value }),
    async hold({ key }, message) {
      record(`hold ${key}`);
      message.scope?.onCancel(() => record(`scope of ${key} cancelled`));
      await state.held(key);
      record(`released ${key}${message.cancelled ? ' cancelled' : ''}`);
      return { cancelled: message.cancelled };
    },
    async urgentHold({ key }) {
      record(`hold ${key}`);
      await state.held(key);
      return {};
    },
    block({ gate }) {
      writeFileSync(`${gate}.begun`, '');
      const word = new Int32Array(new SharedArrayBuffer(4));
      while (!existsSync(gate)) Atomics.wait(word, 0, 0, 1);
    },
    fail({ code }) {
      record(`fail ${code}`);
      if (code !== '') throw new SpillwayError(code, 'told to fail');
      throw new Error('told to crash');
    },
    exit: () => process.exit(3),
    answerWrongly: () => ({ text: 7 as unknown as string }),
    later({ text }) {
      if (!state.isOpen) {
        context.stash();
        return { text: '', life };
      }
      record(`later ${text}`);
      return { text, life };
    },
    passOn({ to, text }, message) {
      const result = message.forward(context.ref(to, puppetProtocol), 'echo', { text });
      return { text: result < 0 ? `refused ${result}` : 'nobody reads this', life };
    },
    passHold({ to, key }, message) {
      message.forward(context.ref(to, puppetProtocol), 'hold', { key });
      return { cancelled: false };
    },
    passTwice({ to, text }, message) {
      const target = context.ref(to, puppetProtocol);
      message.forward(target, 'echo', { text: `${text} first` });
      message.forward(target, 'echo', { text: `${text} second` });
      return { text: 'nobody reads this', life };
    },
    async holdFurther({ to, key }, { scope }) {
      record(`further ${key}`);
      return context.ref(to, puppetProtocol).ask('hold', { key }, { deadlineMs: 20_000, ...(scope === undefined ? {} : { scope }) });
    },
    leave({ text }) {
      context.stopSelf();
      return { text, life };
    },
    items: ({ count, ending }) => itemsOf(state, count, ending),
    do({ command, args }) {
      const result = commands[command]!(...(args as unknown[]));
      return result instanceof Promise ? result.then((settled: unknown) => ({ result: settled })) : { result };
    },
  };
}

export const puppet: ActorDefinition<PuppetSpec, PuppetArgs | undefined> = defineActor<PuppetSpec, PuppetArgs | undefined>({
  protocol: puppetProtocol,
  stashCapacity: 4,
  start(context, args) {
    if (args?.failStartOf?.includes(context.incarnation) === true) throw new Error('told to fail in start');
    const log: { turn: number; text: string }[] = [];
    const releases = new Map<string, () => void>();
    const state: PuppetState = {
      definition: puppet,
      log,
      releases,
      isOpen: false,
      record: (text) => void log.push({ turn: ++lastTurn, text }),
      held: (key) => new Promise<void>((resolve) => releases.set(key, resolve)),
    };
    const handlers = (state.handlers = handlersOf(context, state));
    const behaviour = { handlers, stop: (reason: string) => state.onStop?.(reason) };
    return args?.startGate === undefined ? behaviour : openedGate(args.startGate).then(() => behaviour);
  },
});

/** The same with a small mailbox of its own, which takes messages out of the lanes. */
/** For a thread that delivers at least once. */
export const puppetWithoutStash = defineActor<PuppetSpec, PuppetArgs | undefined>({ ...puppet, stashCapacity: 0 });
export const puppetWithMailbox = defineActor<PuppetSpec, PuppetArgs | undefined>({ ...puppet, mailbox: { capacity: 8 } });

/** Each of these is refused when it is spawned: marks the wrong way round, and a key that there is not. */
export const puppetWithBadMarks = defineActor<PuppetSpec, PuppetArgs | undefined>({ ...puppet, mailbox: { marks: { sync: 4, syncLow: 4 } } });
export const puppetWithUnknownKey = defineActor<PuppetSpec, PuppetArgs | undefined>({ ...puppet, mailbox: { capasity: 4 } as object });

async function openedGate(gate: string): Promise<void> {
  while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 1));
}
