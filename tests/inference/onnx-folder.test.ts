import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chooseModel } from '../../actors/inference/model-choice.ts';
import { checkOnnxModel, hashOnnxModel, isOnnxModel, scoreOutput } from '../../actors/inference/onnx/model-folder.ts';
import { onnxBackend } from '../../actors/inference/onnx/onnx-backend.ts';
import { inspectOnnxFile } from '../../actors/inference/onnx/onnx-file.ts';
import { tinyOnnx } from '../../bench/models/onnx-minilm.ts';
import { OnnxGraph } from '../../bench/models/onnx-writer.ts';

let sound: string;
let folder: string;
let model: string;

beforeAll(() => {
  sound = mkdtempSync(join(tmpdir(), 'spillway-onnx-sound-'));
  tinyOnnx(sound);
});
beforeEach(() => {
  rmSync(folder ?? '', { recursive: true, force: true });
  folder = mkdtempSync(join(tmpdir(), 'spillway-onnx-folder-'));
  cpSync(sound, folder, { recursive: true });
  model = join(folder, 'onnx/model.onnx');
});
afterAll(() => {
  for (const path of [sound, folder]) rmSync(path, { recursive: true, force: true });
});

/** Changes a JSON file of the folder; a key that becomes undefined is left out. */
function change(name: string, changes: object): void {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...changes }));
}

/** An encoder in name only, with what a test puts in. */
function graph(build: (graph: OnnxGraph) => void = () => {}, inputs = ['input_ids', 'attention_mask'], output = 'last_hidden_state'): void {
  const made = new OnnxGraph('test', 14);
  for (const name of inputs) made.input(name, 'i64', ['batch', 'sequence']);
  build(made);
  made.node('Cast', [inputs[0]!], { to: 1 }, output);
  made.output(output, 'f32', ['batch', 'sequence', 8]);
  made.write(model);
}

/** Bytes of a field with a length. */
function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

const VERSION = Buffer.from([8, 8]);

describe('a sound model', () => {
  it('is found by its folder, by its file, and with its file at the top', () => {
    const byFolder = checkOnnxModel(folder);
    expect(byFolder).toMatchObject({ name: basename(folder), dimensions: 64, contextLength: 128, pooling: 'mean', paddingId: 0, inputs: ['input_ids', 'attention_mask', 'token_type_ids'] });
    expect(checkOnnxModel(model)).toMatchObject({ root: folder, modelPath: model, name: 'model.onnx' });
    renameSync(model, join(folder, 'model.onnx'));
    expect(checkOnnxModel(folder).modelPath).toBe(join(folder, 'model.onnx'));
    rmSync(join(folder, 'model.onnx'));
    expect(checkOnnxModel(folder).modelPath).toBe(join(folder, 'onnx/model_quantized.onnx'));
    expect([folder, model, join(folder, 'onnx'), join(folder, 'tiny.gguf')].map(isOnnxModel)).toEqual([true, true, false, false]);
  });

  it('is another one when any file that makes its vectors is another, and the same in another folder', async () => {
    const before = await hashOnnxModel(checkOnnxModel(folder));
    expect(await hashOnnxModel(checkOnnxModel(sound))).toBe(before);
    const hashes = new Set([before]);
    for (const [name, changes] of [['config.json', { x: 1 }], ['tokenizer.json', { x: 1 }], ['tokenizer_config.json', { x: 1 }], ['1_Pooling/config.json', { x: 1 }]] as const) {
      change(name, changes);
      hashes.add(await hashOnnxModel(checkOnnxModel(folder)));
    }
    writeFileSync(join(folder, 'README.md'), 'makes no vectors');
    hashes.add(await hashOnnxModel(checkOnnxModel(folder)));
    expect(hashes.size).toBe(5);
  });

  it('is chosen for its backend by what it is', async () => {
    const chosen = await chooseModel(folder);
    expect(chosen).toMatchObject({ backend: 'onnx', path: folder, name: folder, dimensions: 64, contextLength: 128, builtIn: false });
    expect(chosen.sha256).toBe(await hashOnnxModel(checkOnnxModel(folder)));
    expect(await chooseModel(join(sound, 'tiny.gguf'))).toMatchObject({ backend: 'llama' });
    await expect(chooseModel(folder, { purpose: 'rank' })).rejects.toMatchObject({ code: 'model_unsupported' });
    await expect(chooseModel(folder, { purpose: 'generate' })).rejects.toMatchObject({ code: 'model_unsupported' });
  });

  it('takes as many tokens as its files allow', () => {
    change('tokenizer_config.json', { model_max_length: 100 });
    expect(checkOnnxModel(folder).contextLength).toBe(100);
    change('tokenizer_config.json', { model_max_length: 1e30 });
    expect(checkOnnxModel(folder).contextLength).toBe(128);
    change('config.json', { model_type: 'xlm-roberta', max_position_embeddings: 514 });
    expect(checkOnnxModel(folder).contextLength).toBe(512);
    change('config.json', { max_position_embeddings: undefined });
    expect(checkOnnxModel(folder).contextLength).toBe(512);
  });

  it('may have its weights in further files of its folder, which are part of it', async () => {
    graph((made) => made.externalWeight('weight', 'f32', [4, 4], { location: 'model.onnx_data', offset: 0, lengthBytes: 64 }));
    const data = join(folder, 'onnx/model.onnx_data');
    writeFileSync(data, new Uint8Array(64));
    expect(inspectOnnxFile(model).externalFiles).toEqual([data]);
    const before = await hashOnnxModel(checkOnnxModel(folder));
    writeFileSync(data, new Uint8Array(64).fill(1));
    expect(await hashOnnxModel(checkOnnxModel(folder))).not.toBe(before);
  });
});

describe('pooling', () => {
  const pooling = '1_Pooling/config.json';
  const none = { pooling_mode_mean_tokens: false };

  it.each<[string, object, string]>([
    ['the first token', { ...none, pooling_mode_cls_token: true }, 'cls'],
    ['the last token', { ...none, pooling_mode_lasttoken: true }, 'last'],
    ['the mode by name', { ...none, pooling_mode: 'cls' }, 'cls'],
  ])('is %s where the files say so', (_, changes, expected) => {
    change(pooling, changes);
    expect(checkOnnxModel(folder).pooling).toBe(expected);
  });

  it('is the mean for a folder of sentence-transformers, and must be given where no file says', async () => {
    rmSync(join(folder, '1_Pooling'), { recursive: true });
    expect(checkOnnxModel(folder).pooling).toBe('mean');
    rmSync(join(folder, 'modules.json'));
    expect(checkOnnxModel(folder).pooling).toBeUndefined();
    await expect(onnxBackend.load(folder)).rejects.toMatchObject({ code: 'pooling_unsupported', message: expect.stringContaining('`pooling`: mean, cls or last') as string });
    const loaded = await onnxBackend.load(folder, { pooling: 'cls' });
    await loaded.close();
  });

  it('of another kind is not supported', () => {
    change(pooling, { ...none, pooling_mode_max_tokens: true });
    expect(() => checkOnnxModel(folder)).toThrow(expect.objectContaining({ code: 'model_unsupported', message: expect.stringContaining('pooling_mode_max_tokens') as string }));
  });
});

describe('a folder that is refused', () => {
  const cases: [name: string, spoil: () => void, code: string, message: RegExp][] = [
    ['there is no model', () => rmSync(join(folder, 'onnx'), { recursive: true }), 'model_missing', /has no model\.onnx, .*name the \.onnx file itself/],
    ['there is no tokenizer', () => rmSync(join(folder, 'tokenizer.json')), 'model_missing', /tokenizer\.json: there is no such file/],
    ['the model is a folder', () => { rmSync(model); mkdirSync(model); }, 'model_unreadable', /is not a regular file/],
    ['config.json is no JSON', () => writeFileSync(join(folder, 'config.json'), '{"a":'), 'model_malformed', /is no JSON/],
    ['config.json is a list', () => writeFileSync(join(folder, 'config.json'), '[]'), 'model_malformed', /is JSON, but no object/],
    ['config.json is far too large', () => truncateSync(join(folder, 'config.json'), 2 ** 21), 'model_too_complex', /at most 1048576/],
    ['a measure is text', () => change('config.json', { hidden_size: '64' }), 'model_malformed', /"64" as hidden_size/],
    ['a measure is out of all reason', () => change('config.json', { max_position_embeddings: 1e9 }), 'model_malformed', /1000000000 as max_position_embeddings; expected a whole number from 3/],
    ['the tokenizer is far too large', () => truncateSync(join(folder, 'tokenizer.json'), 2 ** 28), 'model_too_complex', /at most 134217728/],
    ['it has a module that changes the vector', () => writeFileSync(join(folder, 'modules.json'), '[{"type":"sentence_transformers.models.Dense"}]'), 'model_unsupported', /models\.Dense.*expected Transformer, Pooling, Normalize/],
    ['modules.json is no list', () => writeFileSync(join(folder, 'modules.json'), '{}'), 'model_malformed', /no list of objects/],
    ['the model is empty', () => writeFileSync(model, ''), 'model_not_onnx', /does not begin like an ONNX model/],
    ['the model is text', () => writeFileSync(model, 'version https://git-lfs.github.com/spec/v1\n'), 'model_not_onnx', /does not begin like an ONNX model/],
    ['the model is a GGUF file', () => cpSync(join(folder, 'tiny.gguf'), model), 'model_not_onnx', /does not begin like an ONNX model/],
    ['its version is no version', () => writeFileSync(model, Buffer.from([8, 200, 1])), 'model_not_onnx', /format version 200/],
    ['it has no graph', () => writeFileSync(model, VERSION), 'model_not_onnx', /has no graph/],
    ['it has two graphs', () => writeFileSync(model, Buffer.concat([VERSION, field(7, Buffer.alloc(0)), field(7, Buffer.alloc(0))])), 'model_malformed', /two graphs/],
    ['it is cut short', () => truncateSync(model, 200_000), 'model_truncated', /ends after 200000 bytes, within field 7 of its model/],
    ['a length reaches beyond its message', () => writeFileSync(model, Buffer.concat([VERSION, field(7, Buffer.from([10, 40, 0])), Buffer.alloc(60, 8)])), 'model_malformed', /field 1 of its graph reach to byte/],
    ['a length is absurd', () => writeFileSync(model, Buffer.concat([VERSION, Buffer.from([58]), Buffer.alloc(9, 0xff), Buffer.from([1])])), 'model_truncated', /within field 7/],
    ['a number does not end', () => writeFileSync(model, Buffer.concat([VERSION, field(7, Buffer.alloc(40, 0xff))])), 'model_malformed', /more than 10 bytes/],
    ['a field is of an unknown kind', () => writeFileSync(model, Buffer.concat([VERSION, field(7, Buffer.from([11, 0]))])), 'model_malformed', /unknown kind 3/],
    ['graphs are nested without end', () => {
      let inner: Buffer = Buffer.alloc(0);
      // Graph, node, attribute, graph, ...
      for (let i = 0; i < 20; i++) inner = field(1, field(5, field(6, inner)));
      writeFileSync(model, Buffer.concat([VERSION, field(7, inner)]));
    }, 'model_too_complex', /nested deeper than 16/],
    ['a tensor has fewer bytes than its shape', () => graph((made) => { made.weight('w', 'f32', [1000, 1000], new Float32Array(10)); }), 'model_malformed', /tensor \[1000, 1000\] with 40 bytes; expected 4000000/],
    ['a tensor has an absurd shape', () => graph((made) => { made.weight('w', 'f32', [2 ** 30, 2 ** 30], new Float32Array(10)); }), 'model_malformed', /fewer than 2\^53 values/],
    ['weights lie outside of its folder', () => graph((made) => { made.externalWeight('w', 'f32', [4], { location: '../tokenizer.json', offset: 0, lengthBytes: 16 }); }), 'model_malformed', /weights in "\.\.\/tokenizer\.json"; expected a file in its own folder/],
    ['weights have an absolute path', () => graph((made) => { made.externalWeight('w', 'f32', [4], { location: '/etc/hostname', offset: 0, lengthBytes: 16 }); }), 'model_malformed', /in its own folder/],
    ['weights are missing', () => graph((made) => { made.externalWeight('w', 'f32', [4], { location: 'absent', offset: 0, lengthBytes: 16 }); }), 'model_missing', /the file with the weights/],
    ['weights reach beyond their file', () => graph((made) => { made.externalWeight('w', 'f32', [4], { location: 'model_quantized.onnx', offset: 1e9, lengthBytes: 16 }); }), 'model_truncated', /the model needs 1000000016/],
    ['weights have another length than their shape', () => graph((made) => { made.externalWeight('w', 'f32', [4], { location: 'model_quantized.onnx', offset: 0, lengthBytes: 1_000 }); }), 'model_malformed', /expected 16 bytes/],
    ['it takes pictures', () => graph(undefined, ['input_ids', 'pixel_values']), 'model_unsupported', /has the input pixel_values/],
    ['it takes no text', () => graph(undefined, ['attention_mask']), 'model_unsupported', /no input input_ids/],
  ];

  it.each(cases)('because %s, before native code sees it', async (_, spoil, code, message) => {
    spoil();
    const error = expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error;
    expect(() => checkOnnxModel(folder)).toThrow(error);
    // Without the library nothing but the check can have refused it.
    await expect(onnxBackend.load(folder, { importRuntime: () => Promise.reject(new Error('not to be loaded')) })).rejects.toThrow(error);
  });

  it('because it gives something else than vectors of tokens', async () => {
    graph(undefined, undefined, 'pictures');
    await expect(onnxBackend.load(folder)).rejects.toMatchObject({ code: 'model_unsupported', message: expect.stringMatching(/has the outputs pictures; expected last_hidden_state or token_embeddings/) as string });
    await expect(onnxBackend.loadRanking(folder)).rejects.toMatchObject({ code: 'model_unsupported', message: expect.stringContaining('expected logits') as string });
  });

  it('because it gives several scores', () => {
    const outputs = [{ name: 'logits', elementType: 1, dims: [undefined, 3] }];
    expect(() => scoreOutput({ ...checkOnnxModel(sound), outputs })).toThrow(expect.objectContaining({ code: 'model_unsupported', message: expect.stringContaining('gives 3 scores') as string }));
  });

  it('because its tokenizer knows more than the model', async () => {
    change('config.json', { vocab_size: 100 });
    await expect(onnxBackend.load(folder)).rejects.toMatchObject({ code: 'model_malformed', message: expect.stringMatching(/tokens up to \d+; the model knows 100/) as string });
  });
});

describe('a model that native code refuses', () => {
  it('fails to load with the reason of onnxruntime', async () => {
    graph((made) => { made.node('NoSuchOperator', ['input_ids'], {}, 'other'); });
    await expect(onnxBackend.load(folder)).rejects.toMatchObject({ code: 'backend_load_failed', message: expect.stringContaining('NoSuchOperator') as string });
  });

  it('fails its test when its vectors are zero, not finite or of another shape', async () => {
    for (const [value, found] of [[0, 'zero'], [NaN, 'not finite']] as const) {
      const made = new OnnxGraph('constant', 14);
      for (const name of ['input_ids', 'attention_mask']) made.input(name, 'i64', ['batch', 'sequence']);
      const wide = made.node('Cast', [made.node('Unsqueeze', ['input_ids', made.integers(2)])], { to: 1 });
      made.node('Mul', [wide, made.weight('value', 'f32', [1, 1, 8], new Float32Array(8).fill(value))], {}, 'last_hidden_state');
      made.output('last_hidden_state', 'f32', ['batch', 'sequence', 8]);
      made.write(model);
      await expect(onnxBackend.load(folder)).rejects.toMatchObject({ code: 'backend_self_test_failed', message: expect.stringContaining(found) as string });
    }
    // Two dimensions, where the file promises three.
    graph();
    await expect(onnxBackend.load(folder)).rejects.toMatchObject({ code: expect.stringMatching(/backend_(self_test|load)_failed/) as string });
  });

  it('takes the vectors of a model that pools for itself', async () => {
    rmSync(join(folder, '1_Pooling'), { recursive: true });
    const made = new OnnxGraph('sentence', 14);
    for (const name of ['input_ids', 'attention_mask']) made.input(name, 'i64', ['batch', 'sequence']);
    const wide = made.node('Cast', [made.node('Unsqueeze', ['input_ids', made.integers(2)])], { to: 1 });
    const tokens = made.node('Mul', [wide, made.weight('value', 'f32', [1, 1, 3], new Float32Array([1, 0, 2]))], {}, 'token_embeddings');
    made.node('ReduceMax', [tokens], { axes: [1], keepdims: 0 }, 'sentence_embedding');
    made.output('token_embeddings', 'f32', ['batch', 'sequence', 3]);
    made.output('sentence_embedding', 'f32', ['batch', 3]);
    made.write(model);
    const loaded = await onnxBackend.load(folder);
    try {
      expect(loaded.capabilities.spans).toBe(false);
      const { vectors } = await loaded.embed(['w1 w2', 'w3'], { cancelled: () => false, deadlineMs: Infinity });
      expect([...vectors].map((value) => Math.round(value * 1000))).toEqual([447, 0, 894, 447, 0, 894]);
    } finally {
      await loaded.close();
    }
  });
});
