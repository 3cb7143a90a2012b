/**
 * The isolated model that is broken in a drill: the real inference actor as it runs in a process of its own, which
 * can be told to do to itself what a bad model does. The fault is the native library's or the system's own, never a
 * signal that stands for one.
 */
import { defineActor, defineProtocol } from '../../kernel/index.ts';
import { inferenceProtocol, isolatedInference, type InferenceArgs } from '../inference/index.ts';

export const MODEL_FAILURES = ['assertion', 'memory'] as const;
export type ModelFailure = (typeof MODEL_FAILURES)[number];

export const modelSubjectProtocol = defineProtocol('model-subject', {
  ...inferenceProtocol.spec,
  /** Ends its process. It comes past the batch in hand. */
  fail: { lane: 'control', request: { properties: { how: { enum: [...MODEL_FAILURES] } } } },
});
export type ModelSubjectSpec = typeof modelSubjectProtocol.spec;

export interface ModelSubjectArgs extends InferenceArgs {
  /** A model file that fails an assertion of llama.cpp, and that nothing has checked. */
  readonly badModelPath: string;
}

/** What it takes at once, small beside its limit, so that the limit is reached step by step and its process can be looked at. */
const STEP_BYTES = 16 * 2 ** 20;

export const modelSubject = defineActor<ModelSubjectSpec, ModelSubjectArgs>({
  protocol: modelSubjectProtocol,
  counters: isolatedInference.counters ?? [],
  async start(context, { badModelPath, ...args }) {
    const { handlers, stop } = await isolatedInference.start(context, args);
    return {
      handlers: {
        ...handlers,
        fail: ({ how }) => (how === 'memory' ? takeMemory([]) : failAssertion(badModelPath)),
      },
      ...(stop === undefined ? {} : { stop }),
    };
  },
});

/** Native memory, as weights and contexts are; it is written to, so that it is there. */
function takeMemory(taken: Buffer[]): void {
  taken.push(Buffer.alloc(STEP_BYTES, 1));
  setImmediate(takeMemory, taken);
}

async function failAssertion(modelPath: string): Promise<void> {
  // Loaded by the backend before, under the conditions of an isolated actor.
  const { LlamaLogLevel, getLlama } = await import('node-llama-cpp');
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 1, logLevel: LlamaLogLevel.disabled });
  await llama.loadModel({ modelPath, gpuLayers: 0 });
}
