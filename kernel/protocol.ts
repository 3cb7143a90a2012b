/**
 * A protocol is the list of messages one actor understands. Each message is one schema for the
 * request and, if it can be asked, one for the reply; type, validator and codec come from it.
 */
import { compileCodec, compileCopier, type Codec, type JtdSchema, type JtdType } from 'atomics-ring-buffer';
import { FIRST_MESSAGE_KIND } from './envelope.ts';
import type { Lane } from './lanes.ts';
import { untypedValue } from './untyped-value.ts';
import { validatorOf } from './validator.ts';

export interface MessageSpec {
  /** The lane it travels on. Default: data. */
  readonly lane?: Lane;
  readonly request: JtdSchema;
  /** Without it, and without `stream`, the message can only be told. */
  readonly reply?: JtdSchema;
  /** One item of a streaming answer: the handler returns an iterable, the asker calls `stream`. */
  readonly stream?: JtdSchema;
}

export type ProtocolSpec = Readonly<Record<string, MessageSpec>>;

/** One message of a protocol, ready for use. Codecs and validators are compiled when first needed. */
export interface Message {
  readonly name: string;
  readonly kind: number;
  readonly lane: Lane;
  readonly request: Codec<unknown>;
  readonly reply: Codec<unknown> | undefined;
  /** Of one item of a streaming answer. */
  readonly item: Codec<unknown> | undefined;
  /** Copies for actors on one thread: what the codec would make of the value, refused where it would refuse. */
  copyRequest(request: unknown): unknown;
  copyReply(reply: unknown): unknown;
  copyItem(item: unknown): unknown;
  /** @throws SpillwayError `message_invalid` */
  validate(request: unknown): void;
}

export interface Protocol<Spec extends ProtocolSpec = ProtocolSpec> {
  readonly name: string;
  readonly spec: Spec;
  message(name: keyof Spec & string): Message;
  /** The message with this record kind, or undefined if the protocol has none. */
  messageOfKind(kind: number): Message | undefined;
}

export type RequestOf<Spec extends ProtocolSpec, Name extends keyof Spec> = JtdType<Spec[Name]['request']>;

export type ReplyOf<Spec extends ProtocolSpec, Name extends keyof Spec> = Spec[Name] extends {
  readonly reply: infer Reply;
}
  ? JtdType<Reply>
  : void;

/** The items of a message that is answered with a stream. */
export type ItemOf<Spec extends ProtocolSpec, Name extends keyof Spec> = Spec[Name] extends { readonly stream: infer Item }
  ? JtdType<Item>
  : never;

export function defineProtocol<const Spec extends ProtocolSpec>(name: string, spec: Spec): Protocol<Spec> {
  const messages = Object.entries(spec).map(([message, messageSpec], index) => new LazyMessage(message, FIRST_MESSAGE_KIND + index, messageSpec));
  const byName = new Map(messages.map((message) => [message.name, message]));
  return {
    name,
    spec,
    message(message) {
      const found = byName.get(message);
      if (found === undefined) throw new TypeError(`Protocol ${name} has no message '${message}'.`);
      return found;
    },
    messageOfKind: (kind) => messages[kind - FIRST_MESSAGE_KIND],
  };
}

const UNTYPED = { untyped: untypedValue };

/** Codecs and copiers are compiled when they are first needed: most threads use few of a protocol's messages. */
class LazyMessage implements Message {
  readonly name: string;
  readonly kind: number;
  readonly lane: Lane;
  readonly validate: (request: unknown) => void;
  copyRequest: (request: unknown) => unknown;
  copyReply: (reply: unknown) => unknown;
  copyItem: (item: unknown) => unknown;
  readonly #spec: MessageSpec;
  #request: Codec<unknown> | undefined;
  #reply: Codec<unknown> | undefined;
  #item: Codec<unknown> | undefined;

  constructor(name: string, kind: number, spec: MessageSpec) {
    this.name = name;
    this.kind = kind;
    this.lane = spec.lane ?? 'data';
    this.#spec = spec;
    this.validate = validatorOf(spec.request);
    this.copyRequest = (request) => (this.copyRequest = copierOf(spec.request))(request);
    this.copyReply = (reply) => (this.copyReply = copierOf(spec.reply))(reply);
    this.copyItem = (item) => (this.copyItem = copierOf(spec.stream))(item);
  }

  get request(): Codec<unknown> {
    return (this.#request ??= compileCodec<unknown>(this.#spec.request, UNTYPED));
  }

  get reply(): Codec<unknown> | undefined {
    return (this.#reply ??= codecOf(this.#spec.reply));
  }

  get item(): Codec<unknown> | undefined {
    return (this.#item ??= codecOf(this.#spec.stream));
  }
}

function codecOf(schema: JtdSchema | undefined): Codec<unknown> | undefined {
  return schema === undefined ? undefined : compileCodec<unknown>(schema, UNTYPED);
}

/** A message without an answer is answered with nothing, whatever its handler returns. */
function copierOf(schema: JtdSchema | undefined): (value: unknown) => unknown {
  return schema === undefined ? () => undefined : compileCopier<unknown>(schema, UNTYPED);
}
