/**
 * Checks the vocabulary of a model.
 *
 * A duplicate token aborts llama.cpp (its two tables must have one size). A `[CLS]` or `[SEP]` that
 * is not marked as a control token is worse: node-llama-cpp then leaves it out without a word, and
 * every vector is wrong. Both are refused here.
 */
import { integerWithin, stringValue } from './architecture.ts';
import { modelError, type GgufHeader } from './parser.ts';
import { VALUE_TYPE } from './types.ts';

/** `LLAMA_TOKEN_TYPE_CONTROL`. */
const CONTROL_TOKEN = 3;
/** `LLAMA_TOKEN_TYPE_BYTE`: a token that stands for one byte, and says which in this form. */
const BYTE_TOKEN = 6;
const BYTE_TOKEN_TEXT = /^<0x[0-9A-Fa-f]{2}>$/;
/** The ids that llama.cpp assumes for the special tokens of a BERT vocabulary when the file names none. */
const BERT_DEFAULT_ID = { bos: 101, seperator: 102 } as const;

/** What llama.cpp puts around a text if the file says so, and the ids that it assumes for them in each kind of vocabulary. */
const ADDED_TOKENS = [
  { flag: 'add_bos_token', name: 'bos', defaults: { llama: 1, gpt2: 11 } },
  { flag: 'add_eos_token', name: 'eos', defaults: { llama: 2, gpt2: 11, t5: 1 } },
  { flag: 'add_sep_token', name: 'seperator', defaults: {} },
] as const;

const SPECIAL_TOKENS = ['bos', 'eos', 'unknown', 'seperator', 'padding', 'cls', 'mask'] as const;

/** Checks the tokens and answers how many there are. @throws SpillwayError `model_malformed` or `model_unsupported`. */
export function checkVocabulary(header: GgufHeader): number {
  const { path, metadata } = header;
  const tokenizer = stringValue(header, 'tokenizer.ggml.model');
  const found = metadata.get('tokenizer.ggml.tokens');
  if (found?.type !== VALUE_TYPE.array || !('elementType' in found) || found.elementType !== VALUE_TYPE.str || found.value.length === 0) {
    throw modelError('model_malformed', path, 'has no tokenizer.ggml.tokens; expected a list of strings');
  }
  const tokens = found.value as readonly string[];
  const names = distinctTokens(path, tokens);
  if (tokenizer === 'llama') checkBytes(path, names);
  const types = checkParallelArray(header, 'tokenizer.ggml.token_type', tokens.length, [VALUE_TYPE.i32]);
  checkParallelArray(header, 'tokenizer.ggml.scores', tokens.length, [VALUE_TYPE.f32, VALUE_TYPE.i32]);
  for (const [id, type] of types?.entries() ?? []) {
    // llama.cpp aborts when it has to spell such a token, and has none in a BERT vocabulary.
    if (type === BYTE_TOKEN && (tokenizer === 'bert' || !BYTE_TOKEN_TEXT.test(tokens[id]!))) {
      throw modelError('model_malformed', path, `its token ${id} (${JSON.stringify(tokens[id]!.slice(0, 40))}) is marked as a byte; expected <0x00> to <0xFF>, and none in a bert vocabulary`);
    }
  }
  for (const name of SPECIAL_TOKENS) {
    const key = specialKey(name);
    // llama.cpp treats -1 (as u32) as "none", and files of decoders do say so.
    if (metadata.get(key)?.value !== 0xffff_ffff && metadata.has(key)) integerWithin(header, key, 0, tokens.length - 1);
  }
  if (tokenizer === 'bert') {
    checkControlToken(header, 'bos', tokens, types);
    checkControlToken(header, 'seperator', tokens, types);
  } else {
    for (const added of ADDED_TOKENS) checkAddedToken(header, added, tokenizer, tokens.length);
  }
  return tokens.length;
}

/** llama.cpp's spelling of the keys, including its "seperator". */
function specialKey(name: (typeof SPECIAL_TOKENS)[number]): string {
  return `tokenizer.ggml.${name}_token_id`;
}

function distinctTokens(path: string, tokens: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const [index, token] of tokens.entries()) {
    // llama.cpp ends a token at its first NUL and gives an empty one this name before it compares.
    const [text = ''] = token.split('\0', 1);
    const name = text === '' ? `[EMPTY_${index}]` : text;
    if (seen.has(name)) throw modelError('model_malformed', path, `has the token ${JSON.stringify(name.slice(0, 40))} twice in its vocabulary (again at ${index})`);
    seen.add(name);
  }
  return seen;
}

/** In a SentencePiece vocabulary what has no token is spelt in bytes, and llama.cpp aborts at one that it lacks. */
function checkBytes(path: string, tokens: ReadonlySet<string>): void {
  for (let byte = 0; byte <= 0xff; byte++) {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    if (!tokens.has(name) && !(byte < 0x80 && tokens.has(String.fromCharCode(byte)))) {
      throw modelError('model_malformed', path, `has no token ${name} in its vocabulary; expected one for each byte, for characters without a token`);
    }
  }
}

function checkParallelArray(header: GgufHeader, key: string, length: number, elementTypes: readonly number[]): readonly unknown[] | undefined {
  const found = header.metadata.get(key);
  if (found === undefined) return undefined;
  if (!('elementType' in found) || !elementTypes.includes(found.elementType) || found.value.length !== length) {
    throw modelError('model_malformed', header.path, `has a ${key} that does not match its vocabulary; expected ${length} numbers, one for each token`);
  }
  return found.value;
}

/** llama.cpp aborts at the first text when it is to add a token that there is not. */
function checkAddedToken({ path, metadata }: GgufHeader, { flag, name, defaults }: (typeof ADDED_TOKENS)[number], tokenizer: string, length: number): void {
  if (metadata.get(`tokenizer.ggml.${flag}`)?.value !== true) return;
  const stated = metadata.get(specialKey(name))?.value;
  const id = typeof stated === 'number' && stated < length ? stated : (defaults as Readonly<Record<string, number>>)[tokenizer];
  if (id === undefined || id >= length) {
    throw modelError('model_malformed', path, `adds a ${name} token to each text (tokenizer.ggml.${flag}) and names none; expected ${specialKey(name)} below ${length}`);
  }
}

function checkControlToken(header: GgufHeader, name: 'bos' | 'seperator', tokens: readonly string[], types: readonly unknown[] | undefined): void {
  const stated = header.metadata.get(specialKey(name))?.value;
  const id = typeof stated === 'number' ? stated : BERT_DEFAULT_ID[name];
  const type = types?.[id];
  if (id >= tokens.length || type !== CONTROL_TOKEN) {
    throw modelError(
      'model_malformed', header.path,
      `its ${name} token ${id} (${JSON.stringify(tokens[id]?.slice(0, 40) ?? 'not in the vocabulary')}) has the type ${typeof type === 'number' ? type : 'none'}; expected ${CONTROL_TOKEN} (control)`,
    );
  }
}
