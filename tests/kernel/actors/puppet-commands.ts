/** What a test can have a puppet do. Everything that goes in and out is plain data. */
import { SpillwayError, type ActorContext, type ActorDefinition, type ActorRef, type Address, type CancelScope, type FailureDecision, type Group, type Handlers, type MailboxDeclaration, type Timer } from '../../../kernel/index.ts';
import { puppetProtocol, type PuppetArgs, type PuppetSpec } from './puppet-protocol.ts';

export interface PuppetState {
  /** Of the puppets that it spawns. */
  readonly definition: ActorDefinition<PuppetSpec, PuppetArgs | undefined>;
  readonly log: { readonly turn: number; readonly text: string }[];
  /** By key, what ends the handlers that wait. */
  readonly releases: Map<string, () => void>;
  /** Whether it handles what it otherwise puts aside. */
  isOpen: boolean;
  /** What it handles messages with at first. */
  handlers?: Handlers<PuppetSpec>;
  onStop?: (reason: string) => void;
  record(text: string): void;
  held(key: string): Promise<void>;
}

export interface PuppetOptions {
  readonly args?: PuppetArgs;
  readonly mailbox?: Omit<MailboxDeclaration, 'key'>;
  /** Of notes the latest of each remainder by this number is kept. */
  readonly keyModulo?: number;
  readonly stashCapacity?: number;
  readonly onFailure?: FailureDecision;
}

export interface CallOptions {
  readonly deadlineMs?: number;
  /** The call is cancelled by this name. */
  readonly cancel?: string;
  /** Name of a scope that was opened before. */
  readonly scope?: string;
  readonly demand?: number;
}

/** How a call came to its end. */
export interface Outcome {
  readonly answer?: unknown;
  readonly code?: string;
  readonly message?: string;
  readonly mayHaveBeenHandled?: boolean;
}

/** A message's name and request. */
export type Call = readonly [name: string, request: unknown];

const LONG_MS = 20_000;
/** Entries of the log in one answer. */
export const PAGE = 500;

export function commandsOf(context: ActorContext, state: PuppetState) {
  const { record } = state;
  const cancels = new Map<string, AbortController>();
  const scopes = new Map<string, CancelScope>();
  const streams = new Map<string, AsyncIterableIterator<{ number: number }, undefined>>();
  const timers = new Map<string, Timer>();
  const groups = new Map<string, Group<PuppetSpec>>();
  const refs = new Map<Address, ActorRef<PuppetSpec>>();
  const ref = (to: Address): ActorRef<PuppetSpec> => {
    let known = refs.get(to);
    if (known === undefined) refs.set(to, (known = context.ref(to, puppetProtocol)));
    return known;
  };
  const optionsOf = ({ deadlineMs = LONG_MS, cancel, scope, demand }: CallOptions) => {
    const controller = new AbortController();
    if (cancel !== undefined) cancels.set(cancel, controller);
    const named = scope === undefined ? {} : { scope: scopes.get(scope)! };
    return { deadlineMs, signal: controller.signal, ...named, ...(demand === undefined ? {} : { demand }) };
  };
  const tell = (to: Address, name: string, request: unknown, options: CallOptions = {}): number =>
    ref(to).tell(name as 'note', request as { number: number }, optionsOf(options));
  /** Makes a puppet on this thread. */
  const spawn = (name: string, { args, mailbox, keyModulo, stashCapacity, onFailure }: PuppetOptions = {}): Address => {
    const key = keyModulo === undefined ? {} : { key: (_: string, request: unknown) => (request as { number: number }).number % keyModulo };
    const definition = {
      ...state.definition,
      ...(mailbox === undefined ? {} : { mailbox: { ...mailbox, ...key } }),
      ...(stashCapacity === undefined ? {} : { stashCapacity }),
    };
    return context.spawn(definition, args, { name, ...(onFailure === undefined ? {} : { onFailure: () => onFailure }) }).address;
  };

  return {
    // ---- sending
    ask: (to: Address, name: string, request: unknown, options: CallOptions = {}): Promise<Outcome> =>
      outcomeOf(() => ref(to).ask(name as 'echo', request as { text: string }, optionsOf(options))),
    /** Begins all in one turn. */
    askAll: (to: Address, calls: readonly Call[]): Promise<Outcome[]> =>
      Promise.all(calls.map(([name, request]) => outcomeOf(() => ref(to).ask(name as 'echo', request as { text: string }, { deadlineMs: LONG_MS })))),
    send: (to: Address, name: string, request: unknown, options: CallOptions = {}): Promise<Outcome> =>
      outcomeOf(() => ref(to).send(name as 'echo', request as { text: string }, optionsOf(options))),
    tell,
    /** All in one turn of its thread. */
    tellAll: (to: Address, calls: readonly Call[]): number[] => calls.map(([name, request]) => tell(to, name, request)),
    /** The same to several. */
    tellSeveral: (calls: readonly (readonly [to: Address, ...call: Call])[]): number[] => calls.map(([to, name, request]) => tell(to, name, request)),
    /** Tells numbers in one turn, until there are so many or one is refused. @returns how many were taken, and the last result */
    flood(to: Address, name: string, atMost: number, from = 0): { told: number; result: number } {
      for (let told = 0; told < atMost; told++) {
        const result = tell(to, name, { number: from + told });
        if (result < 0) return { told, result };
      }
      return { told: atMost, result: 0 };
    },
    /** Begins sends one after the other without waiting, then tells. Resolves to what became of them. */
    async sendAllThenTell(to: Address, sends: readonly Call[], told: Call): Promise<{ told: number; sent: Outcome[] }> {
      const sending = sends.map(([name, request]) => outcomeOf(() => ref(to).send(name as 'echo', request as { text: string }, { deadlineMs: LONG_MS })));
      const result = tell(to, ...told);
      return { told: result, sent: await Promise.all(sending) };
    },
    /** Asks with an object that is changed right after. */
    async askAndChange(to: Address): Promise<unknown> {
      const request = { value: { list: [1, 2, 3], bytes: Uint8Array.of(1, 2, 3) } };
      const answer = ref(to).ask('value', request, { deadlineMs: LONG_MS });
      request.value.list.push(4);
      request.value.bytes.fill(0);
      const { value } = (await answer) as { value: { list: number[]; bytes: Uint8Array } };
      return { list: value.list, bytes: [...value.bytes], isSame: value.list === request.value.list };
    },
    /** Tries to send an untyped value that this names. */
    askBadly: (to: Address, what: 'proto' | 'deep' | 'function' | 'cyclic'): Promise<Outcome> =>
      outcomeOf(() => ref(to).ask('value', { value: BAD_VALUES[what]() }, { deadlineMs: LONG_MS })),
    /** How a tell with this request fails. */
    tellBadly: (to: Address, name: string, request: unknown): Promise<Outcome> => outcomeOf(async () => tell(to, name, request)),
    cancel: (key: string) => cancels.get(key)!.abort(),
    levelOf: (to: Address) => ref(to).level ?? -1,

    // ---- streams
    openStream(key: string, to: Address, request: { count: number; ending: string }, options: CallOptions = {}) {
      streams.set(key, ref(to).stream('items', request as { count: number; ending: 'done' }, optionsOf(options)));
    },
    /** Takes items until there are enough, the end, or an error. */
    async pull(key: string, count: number): Promise<{ items: number[] } & Outcome> {
      const items: number[] = [];
      const outcome = await outcomeOf(async () => {
        while (items.length < count) {
          const { done, value } = await streams.get(key)!.next();
          if (done === true) return 'done';
          items.push(value.number);
        }
        return 'more';
      });
      return { items, ...outcome };
    },
    leaveStream: async (key: string) => void (await streams.get(key)!.return!()),

    // ---- scopes
    openScope: (key: string, deadlineMs?: number) => void scopes.set(key, context.scope(deadlineMs === undefined ? {} : { deadlineMs })),
    openChildScope: (key: string, parent: string) => void scopes.set(key, scopes.get(parent)!.child()),
    cancelScope: (key: string): boolean => scopes.get(key)!.cancel(),
    closeScope: (key: string) => scopes.get(key)!.close(),

    // ---- life
    spawn,
    trySpawn: (options: PuppetOptions): Promise<Outcome> => outcomeOf(async () => spawn('doomed', options)),
    stop: (child: Address): Promise<Outcome> => outcomeOf(() => context.stop(child)),
    stopSelf: () => context.stopSelf(),
    children: (): number[] => [...context.children],
    life: () => context.incarnation,
    /** Records its own end with another puppet, which outlives it. */
    tellEndTo(to: Address, number: number) {
      state.onStop = (reason) => void tell(to, 'note', { number: reason === 'shutdown' ? number : number + 1_000 });
    },
    watch(target: Address, key: string) {
      timers.set(key, context.watch(target, ({ reason, message }) => record(`ended ${key} ${reason} ${message}`.trimEnd())));
    },
    /** Watches and is told by a callback that fails. */
    watchBadly: (target: Address) => void context.watch(target, () => { throw new Error('told to crash when watched'); }),
    link: (target: Address) => void context.link(target),

    // ---- behaviour
    count: (): number => state.log.length,
    has: (entry: string): boolean => state.log.some(({ text }) => text === entry),
    /** What was recorded from the entry `from` on, as much as one answer holds. */
    log: (from: number): string[] => state.log.slice(from, from + PAGE).map(({ text }) => text),
    /** In which turns of its thread it has recorded. */
    turns: (): number[] => state.log.map(({ turn }) => turn),
    release: (key: string) => state.releases.get(key)?.(),
    open: () => void (state.isOpen = true),
    unstash: (): number => context.unstashAll(),
    tryStash: (): Promise<Outcome> => outcomeOf(async () => context.stash()),
    /** From the next message on, notes are recorded as `became <number>`. */
    becomeOther() {
      const former = context.become({ ...state.handlers!, note: ({ number }: { number: number }) => record(`became ${number}`) } as Handlers<never>);
      timers.set('become', { cancel: () => void context.become(former) });
    },
    /** What it was before. */
    becomeFormer: () => timers.get('become')!.cancel(),

    // ---- time
    after: (key: string, delayMs: number) => void timers.set(key, context.after(delayMs, () => record(`after ${key}`))),
    every: (key: string, intervalMs: number) => void timers.set(key, context.every(intervalMs, () => record(`every ${key}`))),
    /** Takes it back in the same turn, so that no clock decides whether it runs. */
    afterAndCancelled: (key: string, delayMs: number) => context.after(delayMs, () => record(`after ${key}`)).cancel(),
    failAfter: (delayMs: number) => void context.after(delayMs, () => { throw new Error('told to crash in a timer'); }),
    tryAfter: (delayMs: number): Promise<Outcome> => outcomeOf(async () => void context.after(delayMs, () => {})),
    /** Makes timers until one is refused. */
    async manyTimers(atMost: number): Promise<{ made: number } & Outcome> {
      let made = 0;
      const outcome = await outcomeOf(async () => {
        for (; made < atMost; made++) context.after(LONG_MS, () => {});
      });
      return { made, ...outcome };
    },
    cancelTimer: (key: string) => timers.get(key)!.cancel(),
    receiveTimeout: (afterMs: number | null) => context.receiveTimeout(afterMs ?? undefined, () => record('silence')),

    // ---- names and groups
    register: (name: string): Promise<Outcome> => outcomeOf(() => context.register(name)),
    resolve: (name: string): Promise<Outcome> => outcomeOf(async () => (await context.resolve(name, puppetProtocol)).address),
    async openGroup(name: string) {
      groups.set(name, await context.group(name, puppetProtocol));
    },
    join: (name: string) => groups.get(name)!.join(),
    leave: (name: string) => groups.get(name)!.leave(),
    members: (name: string): number[] => groups.get(name)!.members.map(({ address }) => address),
    publish: (name: string, number: number): { told: number; refused: { address: Address; result: number }[] } => groups.get(name)!.publish('note', { number }),
  };
}

export type Commands = ReturnType<typeof commandsOf>;

const BAD_VALUES = {
  proto: () => JSON.parse('{"__proto__": {"isAdmin": true}}') as unknown,
  deep() {
    let value: unknown = 0;
    for (let depth = 0; depth < 100; depth++) value = [value];
    return value;
  },
  function: () => ({ run() {} }),
  cyclic() {
    const value: Record<string, unknown> = {};
    value['self'] = value;
    return value;
  },
};

async function outcomeOf(run: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: (await run()) ?? null };
  } catch (error) {
    if (error instanceof SpillwayError) {
      const { code, message, details } = error;
      return { code, message, mayHaveBeenHandled: details['mayHaveBeenHandled'] as boolean };
    }
    return { code: (error as Error).name, message: (error as Error).message };
  }
}
