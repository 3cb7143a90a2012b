/**
 * Secrets are masked in place and reported without their value; ordinary text is left alone.
 *
 * Every secret here is made at run time from a fixed sequence, so that no scanner takes this file
 * for a leak.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { rules as presetRules } from '@secretlint/secretlint-rule-preset-recommend';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSanitizer } from '../../actors/ingestion/sanitizer.ts';
import { anchorsOf } from '../../actors/ingestion/secret-anchors.ts';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const ALNUM = LOWER + UPPER + DIGITS;

/** `length` characters of `alphabet`, always the same, that look drawn. */
function drawn(length: number, alphabet = ALNUM): string {
  let state = 12_345;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return alphabet[(state >>> 16) % alphabet.length];
  }).join('');
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const keyLines = (count: number): string => Array.from({ length: count }, (_, line) => (line === 0 ? `MIIE${drawn(60)}` : drawn(64))).join('\n');
const pem = (body: string, type = 'RSA '): string => `-----BEGIN ${type}PRIVATE KEY-----\n${body}\n-----END ${type}PRIVATE KEY-----`;
const jwt = ['{"alg":"HS256","typ":"JWT"}', '{"sub":"1234567890","name":"A"}'].map((part) => Buffer.from(part).toString('base64url')).join('.') + `.${drawn(43)}`;

/** For each rule of the preset that is in use, tokens that each of its patterns finds. */
const TOKENS: Record<string, string[]> = {
  aws: [`AWS_SECRET_ACCESS_KEY = "${drawn(40)}"`, `aws_secret_access_key=${drawn(40)}`, `SecretAccessKey: ${drawn(40)}`],
  privatekey: [pem(keyLines(20)), pem(keyLines(20), '')],
  npm: [`npm_${drawn(36)}`, `//registry.example.com/:_authToken=${drawn(36)}`, `https://${drawn(30)}:x-oauth-basic@github.com/a/b`],
  basicauth: [`https://deployer:${drawn(20)}@host.internal.net/`, `ftp://deployer:${drawn(20)}@host.internal.net/`],
  slack: [
    `xoxb-${drawn(12, DIGITS)}-${drawn(12, DIGITS)}-${drawn(24)}`, `xapp-1-A${drawn(10)}-${drawn(12, DIGITS)}-${drawn(32)}`,
    `https://hooks.slack.com/services/T${drawn(8)}/B${drawn(8)}/${drawn(24)}`, `https://HOOKS.Slack.com/services/T${drawn(8)}/B${drawn(8)}/${drawn(24)}`,
  ],
  sendgrid: [`SG.${drawn(22)}.${drawn(43)}`],
  shopify: ['shppa', 'shpca', 'shpat', 'shpss'].map((prefix) => `${prefix}_${drawn(32, DIGITS + 'abcdef')}`),
  stripe: ['sk_live', 'sk_test', 'rk_live', 'rk_test'].map((prefix) => `${prefix}_${drawn(24)}`),
  github: [...['ghp', 'gho', 'ghu', 'ghs', 'ghr'].map((prefix) => `${prefix}_${drawn(36)}`), `github_pat_${drawn(82)}`, `ghs_${drawn(8, DIGITS)}_${drawn(40)}.${drawn(60)}.${drawn(40)}`],
  gitlab: [`glpat-${drawn(20)}`],
  grafana: [`glc_${drawn(60)}`, `glsa_${drawn(32)}_${drawn(8, DIGITS)}`],
  openai: [`sk-${drawn(20)}T3BlbkFJ${drawn(20)}`, `sk-proj-${drawn(74)}T3BlbkFJ${drawn(74)}`],
  anthropic: [`sk-ant-api03-${drawn(93)}AA`],
  groq: [`gsk_${drawn(52)}`],
  huggingface: [`hf_${drawn(34, LOWER + UPPER)}`],
  linear: [`lin_api_${drawn(40)}`],
  notion: [`ntn_${drawn(11, DIGITS)}${drawn(35)}`],
  '1password': [`ops_${base64(`{"signInAddress":"a.example.com","userAuth":{"method":"SRPg-4096"},"email":"a@b.example","srpX":"${drawn(64)}","muk":{"k":"${drawn(43)}"},"secretKey":"A3-${drawn(26)}","throttleSecret":{"seed":"${drawn(64)}"},"deviceUuid":"${drawn(26)}"}`)}`],
  'database-connection-string': ['mongodb', 'mongodb+srv', 'MongoDB', 'mysql', 'mysqlx', 'postgres', 'postgresql'].map((scheme) => `${scheme}://owner:${drawn(16)}@db.internal.net/main`),
  'hashicorp-vault': [`hvs.${drawn(95)}`, `hvb.${drawn(140)}`, `hvr.${drawn(95)}`],
  vercel: ['vcp', 'vci', 'vca', 'vcr', 'vck'].map((prefix) => `${prefix}_${drawn(56)}`),
  databricks: [`dapi${drawn(32, DIGITS + 'abcdef')}`],
  docker: [`dckr_pat_${drawn(27)}`],
  figma: [`figd_${drawn(43)}`],
  cloudflare: ['cfk', 'cfut', 'cfat'].map((prefix) => `${prefix}_${drawn(40)}${drawn(8, DIGITS + 'abcdef')}`),
  tailscale: [`tskey-auth-${drawn(12)}-${drawn(32)}`],
};

const sanitizer = createSanitizer();
const thorough = createSanitizer({ anchors: 'off' });

test('each rule of the preset has tokens in this test, and finds the same with and without anchors', async () => {
  const names = presetRules.map((rule) => rule.meta.id.replace('@secretlint/secretlint-rule-', ''));
  expect(names.filter((name) => !['gcp', 'filter-comments'].includes(name)).sort()).toEqual(Object.keys(TOKENS).sort());
  for (const [name, tokens] of Object.entries(TOKENS)) {
    const only = anchorsOf([name]);
    for (const token of tokens) {
      expect(only.test(token), `${name} ${tokens.indexOf(token)}`).toBe(true);
      const text = `first line\nvalue ${token}\nlast line\n`;
      const full = await thorough.sanitize(text, 'a.txt');
      expect(full.findings.length, `${name} ${tokens.indexOf(token)}`).toBeGreaterThan(0);
      expect(await sanitizer.sanitize(text, 'a.txt')).toEqual(full);
      expect(full.text.split('\n').at(0)).toBe('first line');
      expect(full.text.endsWith('\nlast line\n')).toBe(true);
    }
  }
});

test('a preset with a rule that has no anchor shows every text to every rule', () => {
  expect(anchorsOf(['github', 'a-rule-of-tomorrow']).test('')).toBe(true);
  expect(anchorsOf(['github']).test('ordinary text')).toBe(false);
});

const OWN: [kind: string, before: string, secret: string, after: string][] = [
  ['aws_access_key_id', 'id=X_', `AKIA${drawn(16, UPPER + '234567')}`, '_old'],
  ['json_web_token', 'cookie: ', jwt, ';'],
  ['bearer_token', 'Authorization: Bearer ', drawn(40), '\n'],
  ['assigned_secret', 'password = "', `${drawn(6)}!9x${drawn(3, UPPER)}`, '"'],
  ['assigned_secret', "  api_key: '", drawn(32, DIGITS + 'abcdef'), "',"],
  ['assigned_secret', 'CLIENT_SECRET=', drawn(40), '\n'],
  ['assigned_secret', '{"dbPassword":"', drawn(24), '"}'],
  ['private_key', '', pem(keyLines(3)), '\n'],
  ['private_key', '', `-----BEGIN PRIVATE KEY-----\n${keyLines(4)}`, '\n\nSome words follow.'],
  ['private_key', '"key": "', `-----BEGIN PRIVATE KEY-----\\n${keyLines(4).replaceAll('\n', '\\n')}\\n-----END PRIVATE KEY-----`, '\\n"'],
  ['private_key', 'x\n', pem(`Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,${drawn(32, 'ABCDEF' + DIGITS)}\n\n${keyLines(5)}`).replaceAll('\n', '\r\n'), '\r\n'],
];

test.each(OWN)('%s is found by a rule of our own (%#)', async (kind, before, secret, after) => {
  const text = `Zeile äöü\n${before}${secret}${after}end`;
  const result = await sanitizer.sanitize(text, 'a.txt');
  expect(result.findings).toMatchObject([{ kind }]);
  expect(result.text).toBe(`Zeile äöü\n${before}${secret.replaceAll(/[^\r\n]/g, '*')}${after}end`);
});

test('findings give the place and the mask keeps every byte offset and line', async () => {
  const token = `ghp_${drawn(36)}`;
  const text = `\uFEFFöffnen 👋\r\n  日本 ${token} 👋\r\n${token}\n`;
  const { text: masked, findings } = await sanitizer.sanitize(text, 'a.txt');
  expect(findings).toEqual([{ kind: 'github', line: 2, column: 6 }, { kind: 'github', line: 3, column: 1 }]);
  expect(masked).toBe(text.replaceAll(token, '*'.repeat(40)));
});

test('code points of several bytes inside a secret become as many stars', async () => {
  const secret = `pä${drawn(8)}👋1x日9`;
  const text = `a\npassword = "${secret}"\nb`;
  const { text: masked } = await sanitizer.sanitize(text, 'a.txt');
  expect(masked).toBe(`a\npassword = "${'*'.repeat(Buffer.byteLength(secret))}"\nb`);
});

test('no secret is left anywhere in what comes back, and all offsets stay, in any mixture', async () => {
  const secrets = [...Object.entries(TOKENS).filter(([name]) => name !== 'aws').flatMap(([, tokens]) => tokens), ...OWN.map(([, before, secret, after]) => before + secret + after)];
  const filler = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constantFrom('\n', '\r\n', ' ', 'ordinary words here'));
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(filler, fc.constantFrom(...secrets)), { minLength: 1, maxLength: 8 }), async (parts) => {
    const text = parts.map(([before, secret]) => `${before.toWellFormed()}\n${secret}\n`).join('');
    const result = await sanitizer.sanitize(text, 'a.txt');
    const before = Buffer.from(text);
    const after = Buffer.from(result.text);
    expect(after.length).toBe(before.length);
    for (let index = 0; index < before.length; index += 1) {
      if (after[index] !== before[index]) expect(after[index]).toBe(0x2a);
      if (before[index] === 0x0a || before[index] === 0x0d) expect(after[index]).toBe(before[index]);
    }
    for (const secret of parts.map((part) => part[1])) {
      // The longest run without a separator is the value itself.
      const value = secret.split(/[\s"'/:=@\\-]+/).toSorted((a, b) => b.length - a.length)[0]!;
      expect(JSON.stringify(result)).not.toContain(value);
    }
  }), { numRuns: 60 });
});

test('a secret anywhere in a long text is found, also at the edges of the windows', async () => {
  const token = `glpat-${drawn(20)}`;
  const key = pem(keyLines(100));
  for (const secret of [token, key]) {
    // The first window ends at 65,536 and the second begins about 16,384 before that.
    for (const lead of [48_000, 49_100, 49_150, 49_160, 58_000, 60_000, 65_500, 65_510, 65_515, 65_520, 65_525, 65_530, 65_540, 114_600, 114_670]) {
      for (const filler of ['words of text\n', 'unbroken']) {
        const text = `${filler.repeat(lead / filler.length).padEnd(lead, '.')}"${secret}"${filler.repeat(4000)}`;
        const { text: masked, findings } = await sanitizer.sanitize(text, 'a.txt');
        expect(findings).toHaveLength(1);
        expect(masked).toBe(text.replace(secret, secret.replaceAll(/[^\n]/g, '*')));
      }
    }
  }
});

test('a comment in the text cannot switch the masking off', async () => {
  const token = `ghp_${drawn(36)}`;
  const { findings } = await sanitizer.sanitize(`// secretlint-disable\n${token}\n`, 'a.ts');
  expect(findings).toEqual([{ kind: 'github', line: 2, column: 1 }]);
});

test('what only resembles a secret is left alone', async () => {
  const text = [
    'const token = parser.nextToken2();', 'password: string;', 'password = getPassword(user1)', 'api_key: "YOUR_API_KEY_HERE"', 'secret = "changeme"',
    'token := base64Encode2Url', 'const accessKey = `${prefix}-${id1}2a3b4c`;', 'password: "correct-horse-battery-staple-1"', 'token: process.env.TOKEN2A3B',
    'The header `-----BEGIN PRIVATE KEY-----` opens it and `-----END PRIVATE KEY-----` closes it.', '-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----',
    'sha512-oRF8vjrs0F2Q', '"integrity": "sha512-K3nV0yo9Yb2m0b0g9Wq8nQ=="', 'commit 2102f52a3b4c5d6e7f8091a2b3c4d5e6f7081920', 'id: 550e8400-e29b-41d4-a716-446655440000',
    'tokens = utf8ToBase64String', 'https://example.com/a:b@c', 'secretKeyLength = 2048', 'passwords2024_report_final.pdf', 'ASIAN MARKETS AND THE AKIA TREE',
  ].join('\n');
  expect(await sanitizer.sanitize(text, 'a.txt')).toEqual({ text, findings: [] });
});

test('the documentation and sources of real packages are left alone', async () => {
  let files = 0;
  for (const name of ['ajv', 'ignore', 'msgpackr', 'pino/lib', 'commander']) {
    const folder = new URL(`../../node_modules/${name}`, import.meta.url).pathname;
    for (const file of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(?:md|js|ts|json)$/.test(file) || file.includes('node_modules')) continue;
      const { findings } = await sanitizer.sanitize(fs.readFileSync(join(folder, file), 'utf8'), file);
      expect(findings, `${name}/${file}`).toEqual([]);
      files += 1;
    }
  }
  expect(files).toBeGreaterThan(100);
});

test('a text of nothing but beginnings of secrets is dealt with', async () => {
  const beginnings = ['eyJ', 'eyJa.', '-----BEGIN PRIVATE KEY-----', '-----BEGIN PRIVATE KEY-----\n', 'token=', 'bearer ', 'AKIA', 'SG.a.', 'mysql://a:b', 'https://a:b@', 'xoxb-a-', 'account', 'account =\t', '_authToken='];
  for (const beginning of beginnings) {
    const text = beginning.repeat(200_000 / beginning.length);
    const { text: masked } = await sanitizer.sanitize(text, 'a.txt');
    expect(masked).toHaveLength(text.length);
  }
});

test('thousands of secrets in one line are all found', async () => {
  const text = Array.from({ length: 5000 }, (_, index) => `ghp_${String(index).padStart(4, '0')}${drawn(32)}`).join(' ');
  const { text: masked, findings } = await sanitizer.sanitize(text, 'a.txt');
  expect(findings).toHaveLength(5000);
  expect(masked).toMatch(/^[* ]+$/);
  expect(findings[4999]).toEqual({ kind: 'github', line: 1, column: 4999 * 41 + 1 });
});
