/**
 * The special tokens that a model wants around every text.
 *
 * The rules are those of llama.cpp's own tokenizer (`llama_vocab::impl::tokenize` with `add_special`),
 * which node-llama-cpp leaves to its contexts. The contexts follow them but for vocabularies of the
 * Unigram kind (XLM-RoBERTa: bge-m3, multilingual-e5), where they leave out the first token; a model that
 * pools with that token would then give the vector of the first word instead.
 */
import { LlamaVocabularyType, type LlamaModel, type Token } from 'node-llama-cpp';

export class TokenFrame {
  readonly #before: readonly Token[];
  readonly #after: readonly Token[];

  constructor({ vocabularyType, tokens: { bos, eos, sep, shouldPrependBosToken, shouldAppendEosToken } }: Pick<LlamaModel, 'vocabularyType' | 'tokens'>) {
    const isWordPiece = vocabularyType === LlamaVocabularyType.wpm;
    const begins = isWordPiece || (vocabularyType !== LlamaVocabularyType.rwkv && shouldPrependBosToken);
    const end = isWordPiece ? sep : vocabularyType !== LlamaVocabularyType.rwkv && shouldAppendEosToken ? eos : null;
    this.#before = begins && bos !== null ? [bos] : [];
    this.#after = end === null ? [] : [end];
  }

  /** How many special tokens stand around a text. */
  get size(): number {
    return this.#before.length + this.#after.length;
  }

  around(tokens: readonly Token[]): Uint32Array {
    const framed = new Uint32Array(tokens.length + this.size);
    framed.set(this.#before);
    framed.set(tokens, this.#before.length);
    framed.set(this.#after, this.#before.length + tokens.length);
    return framed;
  }
}
