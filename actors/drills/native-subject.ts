/**
 * The actor that ends while its native calls run: the real inference actor, whose batch brings about a fault
 * once a call is in flight. What it is faulted with goes through the same hands as in any other program.
 */
import { truncateSync } from 'node:fs';
import { defineActor, defineProtocol, type MessageContext } from '../../kernel/index.ts';
import { inference, type InferenceArgs } from '../inference/index.ts';

/** What an actor can do to itself. */
export const NATIVE_FAULTS = ['throw', 'reject', 'exit', 'memory', 'hang', 'segfault', 'truncate'] as const;
export type NativeFault = (typeof NATIVE_FAULTS)[number];

export const nativeSubjectProtocol = defineProtocol('native-subject', {
  /** As of the inference actor; answers the vectors alone. */
  embed: {
    request: { properties: { texts: { elements: { type: 'string' } } }, optionalProperties: { fault: { enum: [...NATIVE_FAULTS] } } },
    reply: { properties: { vectors: { elements: { type: 'float32' }, metadata: { typedArray: true } } } },
  },
});
export type NativeSubjectSpec = typeof nativeSubjectProtocol.spec;

/** Those that the inference actor counts by their names, and the texts that have begun. */
export const NATIVE_COUNTERS = ['texts', 'tokens', 'truncated', 'begun'] as const;

export interface NativeSubjectArgs extends InferenceArgs {
  /** The model file, for the fault that cuts it short. */
  readonly modelPath: string;
}

/** Texts of a batch that have begun when the fault comes: those before are done, and one computes. */
const BEGUN_AT_FAULT = 4;
/** Short beside the time of one text, and long enough that its native call has begun. */
const FAULT_DELAY_MS = 2;
/** Longer than what the case calls a hang. */
const HANG_MS = 1_500;
const EXIT_CODE = 3;

export const nativeSubject = defineActor<NativeSubjectSpec, NativeSubjectArgs>({
  protocol: nativeSubjectProtocol,
  counters: NATIVE_COUNTERS,
  async start(context, args) {
    const inner = await inference.start(context, args);
    return {
      handlers: {
        async embed({ texts, fault }, message) {
          let begun = 0;
          const watched: MessageContext = {
            from: message.from,
            deadlineMs: message.deadlineMs,
            redeliveries: message.redeliveries,
            scope: message.scope,
            forward: (...handedOn) => message.forward(...handedOn),
            // Asked before each text.
            get cancelled() {
              context.counters.add('begun', 1);
              if (++begun === BEGUN_AT_FAULT && fault !== undefined) setTimeout(() => bringAbout(fault, args.modelPath), FAULT_DELAY_MS);
              return message.cancelled;
            },
          };
          const { vectors } = await inner.handlers.embed({ texts }, watched);
          return { vectors };
        },
      },
      async stop(reason) {
        await inner.stop?.(reason);
      },
    };
  },
});

function bringAbout(fault: NativeFault, modelPath: string): void {
  switch (fault) {
    case 'throw':
      throw new Error('thrown in a callback while a native call runs');
    case 'reject':
      void Promise.reject(new Error('rejected while a native call runs'));
      return;
    case 'exit':
      return process.exit(EXIT_CODE);
    case 'memory':
      for (const kept: number[][] = []; ; ) kept.push(Array.from({ length: 10_000 }, (_, index) => index + kept.length));
    case 'hang':
      for (const endMs = performance.now() + HANG_MS; performance.now() < endMs; );
      return;
    case 'segfault':
      process.kill(process.pid, 'SIGSEGV');
      return;
    case 'truncate':
      truncateSync(modelPath, 0);
  }
}
