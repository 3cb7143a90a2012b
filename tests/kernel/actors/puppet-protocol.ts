/** What a puppet understands: messages on every lane that it records, and commands from the test that holds its strings. */
import { defineProtocol } from '../../../kernel/index.ts';

const number = { properties: { number: { type: 'uint32' } } } as const;
const text = { properties: { text: { type: 'string' } } } as const;
const echoed = { properties: { text: { type: 'string' }, life: { type: 'int32' } } } as const;

export const puppetProtocol = defineProtocol('puppet', {
  /** Recorded as `note <number>`. */
  note: { request: number },
  gauge: { lane: 'telemetry', request: number },
  urgent: { lane: 'control', request: number },
  echo: { request: text, reply: echoed },
  urgentEcho: { lane: 'control', request: text, reply: echoed },
  /** Any value, and back. */
  value: { request: { properties: { value: {} } }, reply: { properties: { value: {} } } },
  /** Its handler ends when the test releases this key. Recorded as `hold <key>` and `released <key>`. */
  hold: { request: { properties: { key: { type: 'string' } } }, reply: { properties: { cancelled: { type: 'boolean' } } } },
  urgentHold: { lane: 'control', request: { properties: { key: { type: 'string' } } }, reply: { properties: {} } },
  /** Holds its whole thread until there is a file of this name. Makes one with `.begun` behind it first. */
  block: { request: { properties: { gate: { type: 'string' } } } },
  /** Throws a SpillwayError, or a defect if `code` is empty. */
  fail: { request: { properties: { code: { type: 'string' } } }, reply: { properties: {} } },
  /** Ends its thread without a word. */
  exit: { request: { properties: { code: { type: 'string' } } }, reply: { properties: {} } },
  /** Answers with what its protocol does not permit. */
  answerWrongly: { request: { properties: {} }, reply: text },
  /** Put aside as long as the puppet is closed; then recorded and answered. */
  later: { request: text, reply: echoed },
  /** Forwarded as `echo` to `to`, or answered as `refused <result>`. */
  passOn: { request: { properties: { to: { type: 'uint32' }, text: { type: 'string' } } }, reply: echoed },
  /** Forwarded as `hold` to `to`. */
  passHold: { request: { properties: { to: { type: 'uint32' }, key: { type: 'string' } } }, reply: { properties: { cancelled: { type: 'boolean' } } } },
  /** Forwarded twice as `echo` to `to`, which then answers twice. */
  passTwice: { request: { properties: { to: { type: 'uint32' }, text: { type: 'string' } } }, reply: echoed },
  /** Passed on as `hold` in the scope of this message; answered when that is. */
  holdFurther: { request: { properties: { to: { type: 'uint32' }, key: { type: 'string' } } }, reply: { properties: { cancelled: { type: 'boolean' } } } },
  /** Ends itself with this message. */
  leave: { request: text, reply: echoed },
  /** The numbers from 0 on; `ending` says how it ends behind them. Each is recorded when it is made. */
  items: {
    request: { properties: { count: { type: 'uint32' }, ending: { enum: ['done', 'error', 'defect', 'never'] } } },
    stream: number,
  },
  /** Runs a command; see puppet-commands.ts. */
  do: { lane: 'control', request: { properties: { command: { type: 'string' }, args: {} } }, reply: { properties: { result: {} } } },
});

export type PuppetSpec = typeof puppetProtocol.spec;

/** How a puppet starts. */
export interface PuppetArgs {
  /** Waits in its start until this file is there. */
  readonly startGate?: string;
  /** Throws in its start, in these lives. */
  readonly failStartOf?: readonly number[];
}
