/**
 * From the path of an ONNX model to all of its files, found and checked before native code sees one.
 *
 * An ONNX file computes token vectors from token numbers. How text becomes numbers, how many the model was trained
 * to take and how token vectors become one stands in the files beside it, in the layout of Hugging Face:
 *
 *   config.json            measures of the model
 *   tokenizer.json         text to numbers; tokenizer_config.json says how many
 *   1_Pooling/config.json  token vectors to one; modules.json says what else sentence-transformers would do
 *   onnx/model.onnx        or model.onnx, or onnx/model_quantized.onnx
 *
 * Each of them changes the vectors, so each is part of the model's identity.
 */
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Pooling } from '../backend.ts';
import { hashModel } from '../gguf/header.ts';
import { modelError } from '../gguf/parser.ts';
import { JsonFile, readObjects } from './json-file.ts';
import { ELEMENT_TYPE, inspectOnnxFile, type GraphValue, type OnnxFileSummary } from './onnx-file.ts';

/** Where a folder may have its model, the first that is there. Others are named by their file. */
const MODEL_FILES = ['model.onnx', join('onnx', 'model.onnx'), join('onnx', 'model_quantized.onnx')];
const CONFIG = 'config.json';
const TOKENIZER = 'tokenizer.json';
const TOKENIZER_CONFIG = 'tokenizer_config.json';
const MODULES = 'modules.json';
const POOLING = join('1_Pooling', 'config.json');

const CONFIG_BYTES_MAX = 1024 * 1024;
/** The largest published vocabularies take about 35 MB. */
const TOKENIZER_BYTES_MAX = 128 * 1024 * 1024;
const DIMENSIONS_MAX = 65_536;
const POSITIONS_MAX = 2 ** 24;
const VOCABULARY_MAX = 2 ** 24;
/** Tokenizers of models without a limit state numbers like 1e30. */
const STATED_LENGTH_MAX = 1_000_000;
const TOKENS_DEFAULT = 512;
/** These number positions from behind the padding token, so their tables are longer than their texts may be. */
const OFFSET_POSITIONS: ReadonlySet<unknown> = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet', 'longformer']);

/** What of sentence-transformers' modules this backend does; others would change the vector. */
const MODULES_KNOWN: ReadonlySet<string> = new Set(['Transformer', 'Pooling', 'Normalize']);
const POOLING_MODES: Readonly<Record<string, Pooling>> = { pooling_mode_mean_tokens: 'mean', pooling_mode_cls_token: 'cls', pooling_mode_lasttoken: 'last' };

const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'] as const;
export type InputName = (typeof INPUTS)[number];
/** Outputs with one vector for each token, as exporters name them. */
const TOKEN_OUTPUTS = ['last_hidden_state', 'token_embeddings'];
/** An output with one vector for each text: the model pools for itself. */
const SENTENCE_OUTPUT = 'sentence_embedding';
const LOGITS = 'logits';

/** The checked files of a model. Their contents are checked again by whoever loads them, on its own thread. */
export interface OnnxModelFiles {
  readonly root: string;
  readonly modelPath: string;
  /** The folder's name, or the file's. */
  readonly name: string;
  /** Values in each token vector; 0 for a model whose files do not say, as those of some that rank. */
  readonly dimensions: number;
  /** Tokens that a text may have, special ones included. */
  readonly contextLength: number;
  readonly vocabularySize: number | undefined;
  readonly paddingId: number;
  /** What 1_Pooling says; `sentence` when the model pools for itself; `undefined` when no file says. */
  readonly pooling: Pooling | 'sentence' | undefined;
  readonly inputs: readonly InputName[];
  readonly outputs: readonly GraphValue[];
  readonly tokenizer: JsonFile;
  readonly tokenizerConfig: JsonFile | undefined;
  /** Everything that is part of the model's identity, as absolute paths. */
  readonly files: readonly string[];
}

/** Whether `path` names an ONNX model: an `.onnx` file, or a folder with one in its usual place. */
export function isOnnxModel(path: string): boolean {
  return path.toLowerCase().endsWith('.onnx') || MODEL_FILES.some((file) => existsSync(join(path, file)));
}

/**
 * Finds and checks the files of the model at `path`, a folder or an `.onnx` file.
 *
 * @throws SpillwayError `model_missing`, `model_unreadable`, `model_not_onnx`, `model_truncated`, `model_malformed`,
 *   `model_unsupported` or `model_too_complex`, saying what was found and expected
 */
export function checkOnnxModel(path: string): OnnxModelFiles {
  const { root, modelPath } = locate(resolve(path));
  const config = JsonFile.readIfThere(join(root, CONFIG), CONFIG_BYTES_MAX);
  const tokenizer = JsonFile.read(join(root, TOKENIZER), TOKENIZER_BYTES_MAX);
  const tokenizerConfig = JsonFile.readIfThere(join(root, TOKENIZER_CONFIG), TOKENIZER_BYTES_MAX);
  checkModules(join(root, MODULES));
  const poolingConfig = JsonFile.readIfThere(join(root, POOLING), CONFIG_BYTES_MAX);
  const graph = inspectOnnxFile(modelPath);
  const stated = config?.integer(['hidden_size', 'd_model', 'dim', 'n_embd'], 1, DIMENSIONS_MAX);
  return {
    root,
    modelPath,
    name: basename(modelPath) === basename(path) ? basename(path) : basename(root),
    dimensions: vectorLength(graph) ?? stated ?? 0,
    contextLength: contextLength(config, tokenizerConfig),
    vocabularySize: config?.integer(['vocab_size'], 1, VOCABULARY_MAX),
    paddingId: config?.integer(['pad_token_id'], 0, VOCABULARY_MAX) ?? 0,
    pooling: poolingOf(poolingConfig) ?? (hasOutput(graph, SENTENCE_OUTPUT, 2) ? 'sentence' : existsSync(join(root, MODULES)) ? 'mean' : undefined),
    inputs: inputsOf(modelPath, graph),
    outputs: graph.outputs,
    tokenizer,
    tokenizerConfig,
    files: [
      modelPath, ...graph.externalFiles,
      ...[CONFIG, TOKENIZER, TOKENIZER_CONFIG, MODULES, POOLING].map((name) => join(root, name)).filter((file) => existsSync(file)),
    ],
  };
}

/**
 * The SHA-256 over the names and contents of all files that make the vectors, hexadecimal.
 *
 * @throws SpillwayError `model_unreadable` or `model_changed`
 */
export async function hashOnnxModel({ root, files }: Pick<OnnxModelFiles, 'root' | 'files'>): Promise<string> {
  const entries: string[] = [];
  for (const file of files) entries.push(`${await hashModel(file)}  ${relative(realpathSync(root), realpathSync(dirname(file)))}/${basename(file)}`);
  return createHash('sha256').update(entries.toSorted().join('\n')).digest('hex');
}

/** The output that a text's vector is made of, given how it is to be pooled. @throws SpillwayError `model_unsupported` */
export function vectorOutput({ modelPath, outputs }: OnnxModelFiles, pooling: Pooling | 'sentence'): GraphValue {
  const named = pooling === 'sentence' ? [SENTENCE_OUTPUT] : TOKEN_OUTPUTS;
  return floatOutput(modelPath, outputs, named, pooling === 'sentence' ? 2 : 3, 'embeds');
}

/** The output with a score for each pair of texts. @throws SpillwayError `model_unsupported` */
export function scoreOutput({ modelPath, outputs }: OnnxModelFiles): GraphValue {
  const output = floatOutput(modelPath, outputs, [LOGITS], 2, 'ranks');
  const classes = output.dims?.[1];
  if (classes !== undefined && classes !== 1) throw modelError('model_unsupported', modelPath, `gives ${classes} scores for each text; expected one, how well it matches`);
  return output;
}

/** @throws SpillwayError `model_unsupported` unless the model can be used for `purpose`, which loading it will ask again */
export function checkPurpose(files: OnnxModelFiles, purpose: 'embed' | 'rank' | 'generate'): void {
  if (purpose === 'embed') vectorOutput(files, files.pooling ?? 'mean');
  else if (purpose === 'rank') scoreOutput(files);
  else throw modelError('model_unsupported', files.modelPath, 'is an ONNX model, and those embed or rank text here; expected a GGUF model that generates');
}

function locate(path: string): { root: string; modelPath: string } {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw modelError('model_missing', path, 'there is no such file or folder; check the path, or name another model');
  const modelPath = found.isDirectory() ? MODEL_FILES.map((file) => join(path, file)).find((file) => existsSync(file)) : path;
  if (modelPath === undefined) throw modelError('model_missing', path, `has no ${MODEL_FILES.join(', ')}; name the .onnx file itself`);
  if (found.isDirectory()) return { root: path, modelPath };
  // A file may lie in the folder `onnx` beside the others, or among them.
  const folder = dirname(modelPath);
  const root = [folder, dirname(folder)].find((candidate) => existsSync(join(candidate, TOKENIZER)));
  return { root: root ?? folder, modelPath };
}

function contextLength(config: JsonFile | undefined, tokenizerConfig: JsonFile | undefined): number {
  const positions = config?.integer(['max_position_embeddings', 'n_positions', 'max_seq_len'], 3, POSITIONS_MAX);
  const offset = OFFSET_POSITIONS.has(config?.content['model_type']) ? 2 : 0;
  const stated = tokenizerConfig?.content['model_max_length'];
  const limits = [positions === undefined ? undefined : positions - offset, typeof stated === 'number' && stated >= 3 && stated <= STATED_LENGTH_MAX ? Math.floor(stated) : undefined];
  return Math.min(...limits.map((limit) => limit ?? Infinity), limits.every((limit) => limit === undefined) ? TOKENS_DEFAULT : Infinity);
}

function checkModules(path: string): void {
  for (const { type } of readObjects(path, CONFIG_BYTES_MAX) ?? []) {
    const name = String(type).split('.').at(-1)!;
    if (!MODULES_KNOWN.has(name)) throw modelError('model_unsupported', path, `has the module ${JSON.stringify(type)}; expected ${[...MODULES_KNOWN].join(', ')}`);
  }
}

function poolingOf(file: JsonFile | undefined): Pooling | undefined {
  if (file === undefined) return undefined;
  const modes = Object.entries(file.content).filter(([key, value]) => key.startsWith('pooling_mode_') && value === true).map(([key]) => key);
  const pooling = POOLING_MODES[modes[0] ?? ''];
  // Newer files name the mode instead.
  const named = file.content['pooling_mode'];
  if (modes.length === 0 && (named === 'mean' || named === 'cls')) return named;
  if (modes.length === 0 && named === 'lasttoken') return 'last';
  if (modes.length === 1 && pooling !== undefined) return pooling;
  throw modelError('model_unsupported', file.path, `pools by ${modes.join(' and ') || JSON.stringify(named) || 'nothing'}; expected one of ${Object.keys(POOLING_MODES).join(', ')}`);
}

function inputsOf(path: string, { inputs }: OnnxFileSummary): InputName[] {
  for (const { name, elementType } of inputs) {
    if (!(INPUTS as readonly string[]).includes(name)) throw modelError('model_unsupported', path, `has the input ${name}; expected ${INPUTS.join(', ')}, as encoders of text have`);
    if (elementType !== ELEMENT_TYPE.int64) throw modelError('model_unsupported', path, `takes ${name} as type ${elementType}; expected int64`);
  }
  const names = INPUTS.filter((name) => inputs.some((input) => input.name === name));
  if (names[0] !== 'input_ids') throw modelError('model_unsupported', path, 'has no input input_ids; expected an encoder of text');
  return names;
}

function floatOutput(path: string, outputs: readonly GraphValue[], names: readonly string[], rank: number, deed: string): GraphValue {
  const output = outputs.find(({ name }) => names.includes(name));
  if (output === undefined) throw modelError('model_unsupported', path, `has the outputs ${outputs.map(({ name }) => name).join(', ').slice(0, 400) || '(none)'}; expected ${names.join(' or ')}, as a model that ${deed} text has`);
  if (output.elementType !== ELEMENT_TYPE.float32) throw modelError('model_unsupported', path, `gives ${output.name} as type ${output.elementType}; expected float32`);
  if (output.dims !== undefined && output.dims.length !== rank) throw modelError('model_unsupported', path, `gives ${output.name} with ${output.dims.length} dimensions; expected ${rank}`);
  return output;
}

function hasOutput({ outputs }: OnnxFileSummary, name: string, rank: number): boolean {
  return outputs.some((output) => output.name === name && (output.dims === undefined || output.dims.length === rank));
}

function vectorLength({ outputs }: OnnxFileSummary): number | undefined {
  return outputs.find(({ name }) => name === SENTENCE_OUTPUT || TOKEN_OUTPUTS.includes(name))?.dims?.at(-1);
}
