/**
 * Secrets that secretlint's recommended preset lets through: AWS access key ids, private keys that
 * are cut off or escaped into one line, JSON Web Tokens, bearer tokens, and values assigned to a
 * name such as `password` or `api_key`.
 *
 * The last kind is the one that can go wrong: source code is full of `token = next()`. A value
 * counts only when it looks random: letters and digits that alternate often, and no word that a
 * person would read. A password made of words is therefore not found; masking half of all sources
 * would be worse.
 *
 * Every pattern has a bounded length or cannot begin inside its own match, so the time is linear.
 */
export interface SecretRange {
  /** Offsets in code units, the end exclusive. */
  readonly start: number;
  readonly end: number;
  /** A name for people and programs, never anything of the secret itself. */
  readonly kind: string;
}

const AWS_KEY_ID = /(?<![A-Za-z0-9])(?:A3T[A-Z0-9]|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g;
const JWT = /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,8192}\.eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{16,8192}/g;
const BEARER = /\bbearer[ \t]{1,4}([A-Za-z0-9._~+/-]{20,2048}=*)/gi;
const ASSIGNMENT = new RegExp(
  '(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|encryption[_-]?key|signing[_-]?key|credentials?)'
  + String.raw`[A-Za-z0-9_-]{0,16}["'\x60\]]{0,2}[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}(?:(["'\x60])([^"'\x60\s\\]{8,512})\1|(?=([A-Za-z0-9+/=_.~!@#$%^&*-]{12,512}))\3(?![A-Za-z0-9+/=_.~!@#$%^&*(\[-]))`,
  'gi',
);
const PEM_HEADER = /-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g;

/** All findings in `text`, in no particular order; they may overlap. */
export function findSecrets(text: string): SecretRange[] {
  const found: SecretRange[] = [];
  for (const match of text.matchAll(AWS_KEY_ID)) found.push(rangeOf(match.index, match[0], 'aws_access_key_id'));
  for (const match of text.matchAll(JWT)) found.push(rangeOf(match.index, match[0], 'json_web_token'));
  for (const match of text.matchAll(BEARER)) {
    const value = match[1]!;
    if (looksRandom(value, 4)) found.push(rangeOf(match.index + match[0].length - value.length, value, 'bearer_token'));
  }
  for (const match of text.matchAll(ASSIGNMENT)) {
    const quoted = match[2];
    const value = quoted ?? match[3]!;
    // Without quotes it may be a name in a program, so it has to look more random.
    if (!(quoted === undefined ? looksRandom(value, 5) && value.length >= 16 : looksRandom(value, 3))) continue;
    found.push(rangeOf(match.index + match[0].length - value.length - (quoted === undefined ? 0 : 1), value, 'assigned_secret'));
  }
  for (const match of text.matchAll(PEM_HEADER)) {
    const end = endOfKey(text, match.index + match[0].length);
    if (end !== undefined) found.push({ start: match.index, end, kind: 'private_key' });
  }
  return found;
}

function rangeOf(start: number, value: string, kind: string): SecretRange {
  return { start, end: start + value.length, kind };
}

const REFERENCE = /\$\{|\$\(|\{\{|<[a-z]|%[sd({]|^\$[A-Za-z_]|^process\.|^env[.(]|^https?:|^data:|^file:|\.\.\.|\*{3}|x{6}/i;
/** A run of letters that reads as a word or a name: at least four small ones, maybe with a capital. */
const WORD = /[A-Z]?[a-z]{4,}/g;
const ENTROPY_BITS_MIN = 3;

/**
 * Whether a value was drawn rather than written: no reference to another place, at least ten
 * characters, Shannon entropy of three bits a character, and letters and digits that change
 * places at least `changesMin` times or, for generated passwords, three kinds of characters and
 * hardly a word in it.
 */
function looksRandom(value: string, changesMin: number): boolean {
  if (value.length < 10 || REFERENCE.test(value) || entropyBits(value) < ENTROPY_BITS_MIN) return false;
  const digits = value.replace(/[^0-9]/g, '').length;
  const letters = value.replace(/[^A-Za-z]/g, '').length;
  if (digits === 0 || letters === 0) return false;
  const inWords = (value.match(WORD) ?? []).reduce((sum, word) => sum + word.length, 0);
  // A dotted version, a date or a path has digits and separators, and words between them.
  if (inWords > value.length / 2) return false;
  const changes = value.match(/[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])/g)?.length ?? 0;
  if (changes >= changesMin) return true;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9._/-]/].filter((kind) => kind.test(value)).length;
  return kinds >= 3 && inWords === 0 && value.length >= (changesMin > 3 ? 20 : 10);
}

/** Shannon entropy of the distribution of characters, in bits a character. */
function entropyBits(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

/** A line inside a key: base64 alone, in quotes or behind a comment sign if need be. */
const KEY_LINE = /^[\s"'`+>#|*/;]{0,40}[A-Za-z0-9+/=]{16,}(?:\\[rn])*["'`,;+\\)\s]*$/;
/** A line that may stand between: nothing, a header of the key, or the short rest of the base64. */
const BETWEEN_LINE = /^[\s"'`+>#|*/;]{0,40}(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\n]*|[A-Za-z0-9+/]{0,15}={0,2}(?:\\[rn])*["'`,;+\\)\s]*)$/;
const KEY_ON_ONE_LINE = /(?:\\[rn]|[A-Za-z0-9+/=])+/y;
/** The closing line, directly or after the last, short line of base64. */
const END_MARK = /^([\s"'`+>#|*/;,\\]{0,40}[A-Za-z0-9+/=]{0,16}[\s"'`+>#|*/;,\\rn]{0,40})-----END [A-Z0-9 ]{0,64}-----/;
const REST_OF_LINE = /^["'`,;+\\)\s]*$/;
/** Fewer characters of base64 than this are an example, not a key. */
const KEY_MATERIAL_MIN = 16;
const KEY_UNITS_MAX = 32_768;
const LINE_UNITS_MAX = 512;

/**
 * Where the key after a header ends, whether it is closed or cut off; `undefined` when no key
 * follows, as where a document merely names the header. Looks at `KEY_UNITS_MAX` units at most,
 * or a text of nothing but headers would take quadratic time.
 */
function endOfKey(text: string, from: number): number | undefined {
  const rest = text.slice(from, from + KEY_UNITS_MAX);
  KEY_ON_ONE_LINE.lastIndex = 0;
  const sameLine = KEY_ON_ONE_LINE.exec(rest)?.[0] ?? '';
  let end = sameLine.length;
  let material = sameLine.length;
  for (;;) {
    const mark = END_MARK.exec(rest.slice(end, end + 160));
    if (mark !== null) {
      if (material + mark[1]!.trim().length >= KEY_MATERIAL_MIN) return from + end + mark[0].length;
      break;
    }
    const start = rest.indexOf('\n', end);
    if (start === -1 || !REST_OF_LINE.test(rest.slice(end, Math.min(start, end + LINE_UNITS_MAX)))) break;
    const next = rest.indexOf('\n', start + 1);
    const stop = next === -1 ? rest.length : next;
    const line = rest.slice(start + 1, Math.min(stop, start + LINE_UNITS_MAX));
    if (KEY_LINE.test(line)) material += line.trim().length;
    else if (!BETWEEN_LINE.test(line)) break;
    end = stop;
    if (next === -1) break;
  }
  return material >= KEY_MATERIAL_MIN ? from + end : undefined;
}
