import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EmbeddingBackend } from '../../actors/inference/backend.ts';
import { LEXICAL_MODEL_NAME, ensureLexicalModel } from '../../actors/inference/lexical/index.ts';
import { buildVocabulary } from '../../actors/inference/lexical/vocabulary.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';

let cacheFolder: string;
let modelPath: string;
let backend: EmbeddingBackend;

beforeAll(async () => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'spillway-lexical-'));
  modelPath = (await ensureLexicalModel(cacheFolder)).path;
  backend = await llamaBackend.load(modelPath);
});
afterAll(async () => {
  await backend?.close();
  rmSync(cacheFolder, { recursive: true, force: true });
});

async function embed(...texts: string[]): Promise<Float32Array[]> {
  const { vectors, dimensions, outcomes } = await backend.embed(texts, { cancelled: () => false, deadlineMs: Infinity });
  expect(outcomes.map(({ status }) => status)).toEqual(texts.map(() => 'ok'));
  return texts.map((_, i) => vectors.subarray(i * dimensions, (i + 1) * dimensions));
}

const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

async function similarity(a: string, b: string): Promise<number> {
  const [left, right] = await embed(a, b);
  return cosine(left!, right!);
}

test('the model loads under its name, and its vectors leave out the codes of the pieces', async () => {
  expect(backend.model).toMatchObject({ name: LEXICAL_MODEL_NAME, dimensions: 384, tokensMax: 2047 });
  const [vector] = await embed('Workers exchange messages through rings.');
  expect([...vector!.subarray(352)]).toEqual(Array.from({ length: 32 }, () => 0));
});

test('every token is distinct', () => {
  const { pieces } = buildVocabulary();
  expect(new Set(pieces.map(({ token }) => token)).size).toBe(pieces.length);
});

test('of at least 1,000 paragraphs that the word list has not seen, a misspelt query of five words finds 90 % first and 97 % among five', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=spillway-src', new URL('../../bench/known-item.ts', import.meta.url).pathname,
    '--model', modelPath, '--limit', '1200', '--seeds', '1', '--json',
  ]);
  const report = JSON.parse(stdout) as { items: number; runs: { r1: number; r5: number }[] };
  expect(report.items, 'node_modules holds too few paragraphs of Markdown for this experiment: install all dependencies').toBeGreaterThanOrEqual(1000);
  expect(report.runs[0]!.r1).toBeGreaterThanOrEqual(0.9);
  expect(report.runs[0]!.r5).toBeGreaterThanOrEqual(0.97);
}, 60_000);

test('saying a word again changes a text little', async () => {
  expect(await similarity('mailbox overflow policy', 'mailbox overflow overflow overflow overflow overflow policy')).toBeGreaterThan(0.98);
  // The same in a text that is long enough for the other attention kernel.
  const words = 'supervisor restarts child after failure unless intensity exceeds configured period then escalates toward parent';
  expect(await similarity(words, `${words} ${'period '.repeat(60)}`)).toBeGreaterThan(0.9);
});

test('a text keeps its vector whatever was embedded before it', async () => {
  const text = 'A bounded lane blocks its sender until the receiver has made room. '.repeat(3);
  const [first] = await embed(text);
  await embed('something else entirely, '.repeat(40), 'and another');
  const [second] = await embed(text);
  expect(second).toEqual(first);
});

describe('a related text is nearer than an unrelated one', () => {
  const cases: readonly [name: string, text: string, related: string, unrelated: string][] = [
    ['English', 'The worker restarts after a crash', 'Workers that crashed are restarted', 'Green tea tastes of grass'],
    ['a misspelt word', 'configuration', 'confguration', 'mailbox'],
    ['a camelCase identifier', 'getElementById', 'getElementsById', 'parseInteger'],
    ['a snake_case identifier', 'max_retry_count', 'retry count max', 'file_system_path'],
    ['French, with and without accents', 'développement durable à Genève', 'developpement durable a Geneve', 'hôpital fermé cet été'],
    ['German', 'Die Straßenbahn fährt über die Brücke', 'Straßenbahnen fahren über Brücken', 'Der Kuchen schmeckt süß'],
    ['Polish', 'źródło danych jest zamknięte', 'zamknięte źródła danych', 'piękny ogród wieczorem'],
    ['Vietnamese', 'cơ sở dữ liệu phân tán', 'dữ liệu phân tán', 'bữa ăn tối nay ngon'],
    ['Cyrillic', 'Поисковая система индексирует документы', 'Система индексирует новый документ', 'Кошка спит на тёплой крыше'],
    ['Greek', 'η μηχανή αναζήτησης ευρετηριάζει έγγραφα', 'έγγραφα μηχανής αναζήτησης', 'το παιδί παίζει μπάλα'],
    ['Arabic', 'محرك البحث يفهرس الوثائق', 'البحث في الوثائق', 'القطة تنام فوق السطح'],
    ['Hebrew', 'מנוע החיפוש מאנדקס מסמכים', 'חיפוש מסמכים', 'החתול ישן על הגג'],
    ['Devanagari', 'खोज इंजन दस्तावेज़ खोजता है', 'दस्तावेज़ खोज इंजन', 'बिल्ली छत पर सोती'],
    ['Bengali', 'অনুসন্ধান ইঞ্জিন নথি খোঁজে', 'নথি অনুসন্ধান', 'বিড়াল ছাদে ঘুমায়'],
    ['Tamil', 'தேடுபொறி ஆவணங்களை தேடுகிறது', 'ஆவணங்களை தேடு', 'பூனை கூரையில் உறங்கும்'],
    ['Thai', 'เครื่องมือค้นหาเอกสาร', 'ค้นหาเอกสาร', 'แมวนอนบนหลังคา'],
    ['Chinese', '搜索引擎索引文档', '文档搜索引擎', '猫在屋顶上睡觉'],
    ['Japanese', 'けんさくエンジンで文書を探す', '文書のけんさく', 'ねこがやねでねむる'],
    ['Korean', '검색 엔진은 문서를 색인한다', '문서 검색 엔진', '고양이가 지붕에서 잔다'],
    ['Georgian', 'საძიებო სისტემა დოკუმენტები', 'დოკუმენტების ძიება სისტემა', 'კატა სახურავზე წევს'],
    ['Armenian', 'որոնման համակարգը ինդեքսավորում է', 'որոնման համակարգ', 'կատուն քնում տանիքին'],
    ['Ethiopic', 'የፍለጋ ሞተር ሰነዶችን', 'ሰነዶችን ፍለጋ', 'ድመት ጣሪያ ላይ'],
    ['emoji', '🎉🎂 🥳', '🎂🥳', '🚗🚦'],
    ['digits', 'version 24.21.0', '24.21', '1987'],
    ['punctuation', '?? !!', '?!', '{ } ; ='],
  ];
  test.each(cases)('%s', async (_name, text, related, unrelated) => {
    expect(await similarity(text, related)).toBeGreaterThan((await similarity(text, unrelated)) + 0.1);
  });
});

test('a decomposed accent does not hide a word', async () => {
  const word = 'crème brûlée';
  expect(await similarity(word, word.normalize('NFD'))).toBeGreaterThan((await similarity(word, 'tarte tatin')) + 0.1);
});

test('no letter of the scripts that are covered makes its word unknown', async () => {
  const texts = [
    'ÀÉÎÕÜß āčęğłňőřśťůźż ơưạảấầẩẫậ', 'ΑΒΓΔΕ αβγδεζηθικλμνξοπρστυφχψως άέήίόύώ', 'АБВГДЕЁЖЗИЙ абвгдеёжзийклмнопрстуфхцчшщъыьэюя іїєґ ўқңөү', 'ԱԲԳԴ աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև',
    'אבגדהוזחטיכלמנסעפצקרשתםןץףך', 'ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءآأإؤئپچژگ', 'अआइईउऊऋएऐओऔकखगघङ क्षत्रज्ञ ड़ढ़', 'অআইঈউঊঋএঐওঔ কখগঘঙ ড়ঢ়য়', 'அஆஇஈஉஊ கஙசஞ', 'กขฃคฅฆงจ เแโใไ ๐๑๒', 'ຂຄງ', 'ကခဂ', 'កខគ', 'ཀཁག',
    'აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ', 'ሀለሐመሠረሰሸቀበተቸኀነኘአከኸወዐዘዠየደጀገጠጨጰጸፀፈፐ', 'ひらがな カタカナ ヴァイオリン ー', '가각간갇갈 힣', '한국어'.normalize('NFD'), 'ＷＩＤＥ ｗｉｄｅ １２３', '😀🎉🚀👩‍💻🏳️‍🌈🇩🇪', '→ ≤ ∑ √ ∞ € £ ¥ ° µ © ™ ½ ² ﬁ', '日本語中文漢字體龍龜',
  ];
  const unknown = await embed('\u{1e900}');
  for (const text of texts) {
    for (const word of text.split(' ')) {
      const { outcomes, vectors } = await backend.embed([word], { cancelled: () => false, deadlineMs: Infinity });
      expect(outcomes[0]!.status, word).toBe('ok');
      expect(cosine(vectors, unknown[0]!), word).toBeLessThan(0.5);
    }
  }
});

test('Korean words that share only their first consonants stay apart', async () => {
  // llama.cpp's own way of stripping accents would make these two the same text.
  expect(await similarity('한국', '호기')).toBeLessThan(0.5);
});

test('a text without content is reported as empty', async () => {
  const { outcomes } = await backend.embed(['', ' \n\t', '\u0001\u0002', '\u0301'], { cancelled: () => false, deadlineMs: Infinity });
  expect(outcomes.map(({ status }) => status)).toEqual(['empty', 'empty', 'empty', 'empty']);
});
