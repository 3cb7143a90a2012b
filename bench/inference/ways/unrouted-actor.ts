/**
 * An inference actor as Spillway's own, except that its backend makes no choice by length: llama.cpp with one context
 * for all texts, onnxruntime with one text in each call. It shows what those choices are worth.
 */
import { defineActor, type MessageContext } from '../../../kernel/index.ts';
import type { EmbedControl, EmbedResult, EmbeddingBackend, TextOutcome } from '../../../actors/inference/backend.ts';
import { inferenceProtocol, type InferenceSpec } from '../../../actors/inference/index.ts';
import type { BenchModel } from '../task.ts';

type Embed = (texts: readonly string[], control: EmbedControl) => Promise<EmbedResult>;

export const unrouted = defineActor<InferenceSpec, BenchModel>({
  protocol: inferenceProtocol,
  async start(context, model) {
    const nowMs = (): number => context.clock.monotonicMs();
    const { backend, embed } = await open(model, nowMs);
    const answer = async (texts: readonly string[], message: MessageContext) => {
      const { vectors, dimensions, outcomes } = await embed(texts, { cancelled: () => message.cancelled, deadlineMs: message.deadlineMs });
      return { vectors, dimensions, sha256: backend.model.sha256, outcomes: [...outcomes] };
    };
    const refuse = (): never => {
      throw new TypeError('The bench only embeds with this actor.');
    };
    return {
      handlers: {
        embed: ({ texts }, message) => answer(texts, message),
        embedUrgent: ({ texts }, message) => answer(texts, message),
        embedSpans: refuse,
        rank: refuse,
        load: () => {
          const { name, sha256, dimensions, tokensMax } = backend.model;
          return { backend: backend.id, name, sha256, dimensions, tokensMax, spans: false, rank: false, fusedTextsMax: 1, fusedTokensMax: tokensMax, overlaps: false };
        },
      },
      stop: () => backend.close(),
    };
  },
});

async function open({ format, path }: BenchModel, nowMs: () => number): Promise<{ readonly backend: EmbeddingBackend; readonly embed: Embed }> {
  if (format === 'gguf') {
    const { llamaBackend } = await import('../../../actors/inference/llama/llama-backend.ts');
    // Flash attention at every length: the library's default.
    const backend = await llamaBackend.load(path, { flashAttentionTokensMin: 0, nowMs });
    return { backend, embed: (texts, control) => backend.embed(texts, control) };
  }
  const { onnxBackend } = await import('../../../actors/inference/onnx/onnx-backend.ts');
  const backend = await onnxBackend.load(path, { nowMs });
  return { backend, embed: (texts, control) => oneByOne(backend, texts, control) };
}

async function oneByOne(backend: EmbeddingBackend, texts: readonly string[], control: EmbedControl): Promise<EmbedResult> {
  const { dimensions } = backend.model;
  const vectors = new Float32Array(texts.length * dimensions);
  const outcomes: TextOutcome[] = [];
  for (const [index, text] of texts.entries()) {
    const only = await backend.embed([text], control);
    vectors.set(only.vectors, index * dimensions);
    outcomes.push(only.outcomes[0]!);
  }
  return { vectors, dimensions, outcomes };
}
