/**
 * An actor that takes note of what it is sent, for tests of those who send it. As in CAF's deterministic fixture
 * the test says of the next message what it shall be (`expect`), may be (`allow`) or must not be (`disallow`);
 * what is waited for comes in manual time.
 */
import type { ActorRef } from '../actor-ref.ts';
import type { ActorDefinition } from '../actor.ts';
import { SpillwayError } from '../errors.ts';
import type { MessageContext, Handlers } from '../handlers.ts';
import type { Protocol, ProtocolSpec, ReplyOf, RequestOf } from '../protocol.ts';

/** A message that has come. */
export interface Received<Spec extends ProtocolSpec, Name extends keyof Spec & string> {
  readonly name: Name;
  readonly request: RequestOf<Spec, Name>;
  readonly message: MessageContext;
  /** Answers an ask. Until then the probe takes no further data message, like any actor whose handler waits. */
  reply(value: ReplyOf<Spec, Name>): void;
  /** Fails an ask; with anything but a SpillwayError the probe itself. */
  fail(error: unknown): void;
}

export interface ProbeOptions<Spec extends ProtocolSpec> {
  /** Answers at once, by message. Asks for others wait for `reply`. */
  readonly answers?: { readonly [Name in keyof Spec]?: (request: RequestOf<Spec, Name>) => ReplyOf<Spec, Name> };
}

type AnyReceived<Spec extends ProtocolSpec> = Received<Spec, keyof Spec & string>;

/** What has come and was not looked at yet; somebody may wait for the next. */
class Arrivals<Spec extends ProtocolSpec> {
  readonly messages: AnyReceived<Spec>[] = [];
  #arrived: (() => void) | undefined;

  push(received: AnyReceived<Spec>): void {
    this.messages.push(received);
    this.#arrived?.();
  }

  /** Resolves once there is one. */
  next(): Promise<void> {
    return this.messages.length > 0 ? Promise.resolve() : new Promise((resolve) => (this.#arrived = resolve));
  }
}

export function probeDefinition<Spec extends ProtocolSpec>(protocol: Protocol<Spec>, { answers }: ProbeOptions<Spec>): { definition: ActorDefinition<Spec, undefined>; received: Arrivals<Spec> } {
  const received = new Arrivals<Spec>();
  const handler =
    (name: keyof Spec & string) =>
    (request: never, message: MessageContext): unknown => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      received.push({ name, request, message, reply: resolve, fail: reject });
      const answer = answers?.[name];
      if (answer !== undefined) return answer(request);
      const { reply, stream } = protocol.spec[name]!;
      return reply === undefined && stream === undefined ? undefined : promise;
    };
  const handlers = Object.fromEntries(Object.keys(protocol.spec).map((name) => [name, handler(name)])) as unknown as Handlers<Spec>;
  return { definition: { protocol, start: () => ({ handlers }) }, received };
}

export interface ProbeHost {
  settle(): Promise<void>;
  run<T>(promise: Promise<T>, withinMs: number): Promise<T>;
}

/** How long a message is waited for, in manual time. */
const PATIENCE_MS = 1_000;

export class ActorProbe<Spec extends ProtocolSpec> {
  readonly ref: ActorRef<Spec>;
  readonly #received: Arrivals<Spec>;
  readonly #host: ProbeHost;

  /** Use `system.probe`. */
  constructor(ref: ActorRef<Spec>, received: Arrivals<Spec>, host: ProbeHost) {
    this.ref = ref;
    this.#received = received;
    this.#host = host;
  }

  /** Messages that have come and were not taken by `expect` or `allow`. */
  get waiting(): readonly AnyReceived<Spec>[] {
    return this.#received.messages;
  }

  /**
   * Takes the next message, for which it steps, and lets time pass if it must.
   * @throws SpillwayError `probe_failed` if none comes within `withinMs`, or another comes first
   */
  async expect<Name extends keyof Spec & string>(name: Name, predicate?: (request: RequestOf<Spec, Name>) => boolean, withinMs = PATIENCE_MS): Promise<Received<Spec, Name>> {
    if (this.waiting.length === 0) {
      await this.#host.run(this.#received.next(), withinMs).catch((cause: unknown) => {
        throw new SpillwayError('probe_failed', `${this.ref.name} expected ${name} within ${withinMs} ms, and nothing came.`, { cause });
      });
    }
    const next = this.#take(name, predicate);
    if (next !== undefined) return next;
    throw new SpillwayError('probe_failed', `${this.ref.name} expected ${name}${predicate === undefined ? '' : ' of a certain kind'}; ${told(this.waiting[0]!)} came.`);
  }

  /** Takes the next message if it is this one, at the present time. @returns undefined if it is not */
  async allow<Name extends keyof Spec & string>(name: Name, predicate?: (request: RequestOf<Spec, Name>) => boolean): Promise<Received<Spec, Name> | undefined> {
    await this.#host.settle();
    return this.#take(name, predicate);
  }

  /** @throws SpillwayError `probe_failed` if such a message has come, at the present time */
  async disallow<Name extends keyof Spec & string>(name: Name, predicate?: (request: RequestOf<Spec, Name>) => boolean): Promise<void> {
    await this.#host.settle();
    const found = this.waiting.find((received) => isSuch(received, name, predicate));
    if (found !== undefined) throw new SpillwayError('probe_failed', `${this.ref.name} was not to get ${told(found)}.`);
  }

  #take<Name extends keyof Spec & string>(name: Name, predicate: ((request: RequestOf<Spec, Name>) => boolean) | undefined): Received<Spec, Name> | undefined {
    const next = this.#received.messages[0];
    if (next === undefined || !isSuch(next, name, predicate)) return undefined;
    this.#received.messages.shift();
    return next as unknown as Received<Spec, Name>;
  }
}

function isSuch<Spec extends ProtocolSpec, Name extends keyof Spec & string>({ name, request }: AnyReceived<Spec>, wanted: Name, predicate?: (request: RequestOf<Spec, Name>) => boolean): boolean {
  return name === wanted && predicate?.(request as RequestOf<Spec, Name>) !== false;
}

function told({ name, request }: { readonly name: string; readonly request: unknown }): string {
  return `${name} ${JSON.stringify(request)}`;
}
