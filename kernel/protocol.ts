/**
 * A protocol is the list of messages one actor understands. Each message is one schema for the
 * request and, if it can be asked, one for the reply; type, validator and codec come from it.
 */
import { compileCodec, type Codec, type JtdSchema, type JtdType } from 'atomics-ring-buffer';
import { FIRST_MESSAGE_KIND } from './envelope.ts';
import type { Lane } from './lanes.ts';
import { untypedValue } from './untyped-value.ts';
import { validatorOf } from './validator.ts';

export interface MessageSpec {
  /** The lane it travels on. Default: data. */
  readonly lane?: Lane;
  readonly request: JtdSchema;
  /** Without it the message can only be told. */
  readonly reply?: JtdSchema;
}

export type ProtocolSpec = Readonly<Record<string, MessageSpec>>;

/** One message of a protocol, ready for use. Codecs and validators are compiled when first needed. */
export interface Message {
  readonly name: string;
  readonly kind: number;
  readonly lane: Lane;
  readonly request: Codec<unknown>;
  readonly reply: Codec<unknown> | undefined;
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

export function defineProtocol<const Spec extends ProtocolSpec>(name: string, spec: Spec): Protocol<Spec> {
  const messages = Object.entries(spec).map(([message, { lane, request, reply }], index) =>
    lazyMessage(message, FIRST_MESSAGE_KIND + index, lane ?? 'data', request, reply),
  );
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

function lazyMessage(
  name: string,
  kind: number,
  lane: Lane,
  request: JtdSchema,
  reply: JtdSchema | undefined,
): Message {
  let requestCodec: Codec<unknown> | undefined;
  let replyCodec: Codec<unknown> | undefined;
  return {
    name,
    kind,
    lane,
    get request() {
      return (requestCodec ??= compileCodec<unknown>(request, { untyped: untypedValue }));
    },
    get reply() {
      if (reply === undefined) return undefined;
      return (replyCodec ??= compileCodec<unknown>(reply, { untyped: untypedValue }));
    },
    validate: validatorOf(request),
  };
}
