/**
 * Cuts a text where a tokenizer cuts it for certain, so that its parts can be tokenized apart from each other.
 *
 * Parts that come again need not be tokenized again, and a part's place in the text is the place of its tokens,
 * which the tokenizer itself does not tell. BERT's tokenizer separates at white space and punctuation whatever
 * stands beside them, but normalizes before it does: what is beyond ASCII may be changed by its neighbours
 * (an accent that follows, a Greek sigma at the end of a word). So only ASCII is cut within a word.
 */

/** Receives the parts in order, as places in UTF-16 units, `end` exclusive. `isAscii`: whether it is letters and digits of ASCII, or one punctuation mark. */
type TakePart = (start: number, end: number, isAscii: boolean) => void;

const KIND = { word: 0, space: 1, punctuation: 2, other: 3 } as const;
const ASCII_END = 128;
const KINDS = Uint8Array.from({ length: ASCII_END }, (_, code) => kindOf(String.fromCharCode(code)));

/** Cuts `text` for BertNormalizer with BertPreTokenizer. White space is left out. */
export function splitForBert(text: string, take: TakePart): void {
  const end = text.length;
  for (let at = 0; at < end; ) {
    const start = at;
    let kind: number = kindAt(text, at);
    if (kind === KIND.space) {
      at++;
      continue;
    }
    let seen = 0;
    while (at < end && (kind = kindAt(text, at)) !== KIND.space) {
      seen |= 1 << kind;
      at++;
    }
    if (seen === 1 << KIND.word) take(start, at, true);
    else if ((seen & (1 << KIND.other)) !== 0) take(start, at, false);
    else splitPunctuation(text, start, at, take);
  }
}

/** Cuts a word that is not ASCII as BERT's tokenizer most likely does: ideographs and punctuation alone. The caller checks that it did. */
export function splitBeyondAscii(word: string): string[] {
  return word.match(/[\p{sc=Han}\p{P}\p{S}]|[^\p{sc=Han}\p{P}\p{S}]+/gu) ?? [];
}

/** Cuts before white space, for tokenizers that take a space to belong to the word behind it. The caller checks that they do. */
export function splitBeforeSpaces(text: string): string[] {
  return text.match(/\s*\S+(?:\s+$)?/gu) ?? [];
}

function splitPunctuation(text: string, start: number, end: number, take: TakePart): void {
  let partStart = start;
  for (let at = start; at < end; at++) {
    if (kindAt(text, at) !== KIND.punctuation) continue;
    if (partStart < at) take(partStart, at, true);
    take(at, at + 1, true);
    partStart = at + 1;
  }
  if (partStart < end) take(partStart, end, true);
}

function kindAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < ASCII_END ? KINDS[code]! : KIND.other;
}

function kindOf(character: string): number {
  if (/[ \t\n\r]/.test(character)) return KIND.space;
  if (/[a-zA-Z0-9]/.test(character)) return KIND.word;
  return /[!-/:-@[-`{-~]/.test(character) ? KIND.punctuation : KIND.other;
}
