/**
 * Holds the keys that a model may leave out against what llama.cpp takes for granted of them.
 *
 * A wrong one of these aborts the process, in `llama_model_base::load_hparams` while the model loads, or in the
 * computation of the first text (`llama-model.cpp`, `src/models/*.cpp`, `ggml-cpu/ops.cpp`), although the rest of the
 * model may be as sound as any.
 */
import { describe, integerWithin, type ModelShape } from './architecture.ts';
import { modelError, type GgufHeader } from './parser.ts';
import { VALUE_TYPE } from './types.ts';

/** LLAMA_MAX_EXPERTS. */
const EXPERTS_MAX = 1_024;
const ROPE_SCALINGS: readonly unknown[] = ['none', 'linear', 'yarn', 'longrope'];
/** They add positions to tokens rather than rotate. */
const WITHOUT_ROTATION: ReadonlySet<string> = new Set(['bert', 'jina-bert-v2', 'gpt2', 'starcoder2']);
/** They rotate the whole of a head, and abort where a file says otherwise. */
const FULL_ROTATION: ReadonlySet<string> = new Set(['llama', 'llama-embed', 'falcon', 'mistral3', 'qwen2', 'qwen3']);
/** Templates of published models have some 10 kB. They are programs, which a library parses and runs. */
const TEMPLATE_LENGTH_MAX = 256 * 1024;
const TEMPLATE_KEY = 'tokenizer.chat_template';

/** @throws SpillwayError `model_malformed`, `model_unsupported` or `model_too_complex`. */
export function checkOptionalKeys(header: GgufHeader, shape: ModelShape): void {
  checkWhole(header);
  checkHeads(header, shape);
  checkExperts(header, shape);
  const key = `${shape.architecture}.nextn_predict_layers`;
  if (header.metadata.has(key)) integerWithin(header, key, 0, shape.blockCount);
  const scaling = header.metadata.get(`${shape.architecture}.rope.scaling.type`);
  if (scaling !== undefined && !ROPE_SCALINGS.includes(scaling.value)) {
    throw modelError('model_malformed', header.path, `has ${describe(scaling.value)} as ${shape.architecture}.rope.scaling.type; expected one of ${ROPE_SCALINGS.join(', ')}`);
  }
  for (const [name, { value }] of header.metadata) {
    if (name.startsWith(TEMPLATE_KEY) && typeof value === 'string' && value.length > TEMPLATE_LENGTH_MAX) {
      throw modelError('model_too_complex', header.path, `has a chat template of ${value.length} characters; at most ${TEMPLATE_LENGTH_MAX} are taken`);
    }
  }
}

/** The parts of a split model are loaded by their names: files that nobody has checked, and that are in no hash. */
function checkWhole({ path, metadata }: GgufHeader): void {
  const count = metadata.get('split.count')?.value;
  if (count !== undefined && Number(count) > 1) {
    throw modelError('model_unsupported', path, `is one of ${describe(count)} parts; expected a whole model: join them with llama.cpp's llama-gguf-split --merge`);
  }
}

function checkHeads(header: GgufHeader, { architecture, embeddingLength, headCount }: ModelShape): void {
  const stated = (name: string): number | undefined => {
    const key = `${architecture}.${name}`;
    return header.metadata.has(key) ? integerWithin(header, key, 1, embeddingLength) : undefined;
  };
  const evenly = Math.floor(embeddingLength / headCount);
  const keyLength = stated('attention.key_length') ?? evenly;
  const valueLength = stated('attention.value_length') ?? evenly;
  if (keyLength !== valueLength) {
    throw modelError('model_malformed', header.path, `has heads with ${keyLength} values in a key and ${valueLength} in a value; expected as many`);
  }
  if (WITHOUT_ROTATION.has(architecture)) return;
  const rotated = stated('rope.dimension_count') ?? keyLength;
  if (rotated > keyLength || rotated % 2 !== 0 || (FULL_ROTATION.has(architecture) && rotated !== keyLength)) {
    throw modelError('model_malformed', header.path, `rotates ${rotated} of the ${keyLength} values of a head (${architecture}.rope.dimension_count); expected ${FULL_ROTATION.has(architecture) ? 'all of them' : 'an even number, at most as many'}`);
  }
}

function checkExperts(header: GgufHeader, { architecture, blockCount }: ModelShape): void {
  const key = (name: string): string => `${architecture}.${name}`;
  const stated = (name: string, max: number): number => (header.metadata.has(key(name)) ? integerWithin(header, key(name), 0, max) : 0);
  const experts = stated('expert_count', EXPERTS_MAX);
  const used = expertsUsed(header, key('expert_used_count'), blockCount, experts);
  if (experts > 0 && used === 0) throw modelError('model_malformed', header.path, `uses none of its ${experts} experts (${key('expert_used_count')}); expected 1 to ${experts}`);
  const groups = stated('expert_group_count', Math.max(0, experts - 1));
  if (groups <= 1) return;
  if (experts % groups !== 0) throw modelError('model_malformed', header.path, `has ${groups} groups for ${experts} experts; expected a divisor`);
  integerWithin(header, key('expert_group_used_count'), 1, groups - 1);
}

/** The most that one layer uses; the file has one number, or one for each layer. */
function expertsUsed(header: GgufHeader, key: string, layers: number, experts: number): number {
  const found = header.metadata.get(key);
  if (found === undefined) return 0;
  if (found.type !== VALUE_TYPE.array) return integerWithin(header, key, 0, experts);
  const counts = found.value as readonly unknown[];
  const wrong = counts.find((count) => typeof count !== 'number' || !(count >= 0 && count <= experts));
  if (counts.length !== layers || wrong !== undefined) {
    throw modelError('model_malformed', header.path, `has ${counts.length} values in ${key}, ${describe(wrong ?? counts[0])} among them; expected ${layers} from 0 to ${experts}`);
  }
  return Math.max(...(counts as readonly number[]));
}
