/** What a caller may ask for. */
import { describe, expect, it } from 'vitest';
import { checkRequest, type SamplingOptions } from '../../../actors/inference/generation/generation-request.ts';
import { SpillwayError } from '../../../kernel/index.ts';

function codeOf(prompt: string, options: SamplingOptions = {}): string {
  try {
    checkRequest(prompt, options, () => 7);
  } catch (error) {
    if (error instanceof SpillwayError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'taken';
}

/** An object in an object, and so on. */
function nested(levels: number): object {
  let schema: object = { type: 'null' };
  for (let level = 0; level < levels; level++) schema = { type: 'array', items: schema };
  return schema;
}

describe('a request', () => {
  it('has defaults, and a seed that can be told', () => {
    expect(checkRequest('a', {}, () => 7)).toEqual({ prompt: 'a', maxTokens: 256, temperature: 0, topK: 40, topP: 0.95, seed: 7, stop: [], schema: undefined });
  });

  it.each([
    ['', {}, /^prompt_empty: /],
    [' \n', {}, /^prompt_empty: /],
    ['a\uD800', {}, /^prompt_not_unicode: /],
    ['a'.repeat(240_001), {}, /^prompt_too_long: .*240001/],
    ['a', { maxTokens: 0 }, /^generation_invalid: maxTokens is 0; expected a whole number from 1/],
    ['a', { maxTokens: 1.5 }, /^generation_invalid: maxTokens/],
    ['a', { temperature: -1 }, /^generation_invalid: temperature/],
    ['a', { temperature: NaN }, /^generation_invalid: temperature/],
    ['a', { topP: 1.1 }, /^generation_invalid: topP/],
    ['a', { topK: -1 }, /^generation_invalid: topK/],
    ['a', { seed: 2 ** 32 }, /^generation_invalid: seed/],
    ['a', { stop: [''] }, /^generation_invalid: stop/],
    ['a', { stop: ['a\uDC00'] }, /^generation_invalid: stop/],
    ['a', { stop: ['a'.repeat(257)] }, /^generation_invalid: stop/],
    ['a', { stop: Array.from({ length: 17 }, (_, index) => `${index}`) }, /^generation_invalid: stop is 17/],
  ] as const)('%j with %j is refused', (prompt, options, expected) => {
    expect(codeOf(prompt, options)).toMatch(expected);
  });

  it.each([
    [{ type: 'string', pattern: '^a' }, '/pattern'],
    [{ type: 'object', properties: { a: { type: 'null', anyOf: [] } } }, '/properties/a/anyOf'],
    [{ type: 'integer', minimum: 3 }, '/minimum'],
    [{ type: 'text' }, '/type'],
    [{ type: ['string', 'object'] }, '/type'],
    [{ enum: [] }, '/enum'],
    [{ $ref: '#/$defs/a' }, '/$ref'],
    [{ $ref: 'http://example.org/a', $defs: {} }, '/$ref'],
    [{ type: 'array', items: { type: 'null', $defs: {} } }, '/items/$defs'],
    [{ type: 'string', maxLength: 1_000_000 }, '/maxLength'],
    [{ type: 'string', minLength: 3, maxLength: 2 }, '/maxLength'],
    [{ type: 'string', format: 'ipv6' }, '/format'],
    [{ type: 'object', properties: [] }, '/properties'],
    [{ oneOf: [3] }, '/oneOf/0'],
    [{ type: 'object', properties: { a: { anyOf: [] } } }, '/properties/a/type'],
    [{}, '/type'],
    [{ properties: {} }, '/type'],
    [{ type: ['string', 'null'], maxLength: 3 }, '/maxLength'],
    [{ type: 'string', enum: ['a', 1] }, '/enum'],
    [{ type: 'string', format: 'date', maxLength: 3 }, '/maxLength'],
    [{ oneOf: [{ type: 'null' }], type: 'string' }, '/type'],
    [{ const: {} }, '/const'],
    [{ type: 'object', properties: { a: { type: 'null' } }, required: ['b'] }, '/required'],
    [{ type: 'object', properties: { a: { type: 'null' } }, maxProperties: 0 }, '/maxProperties'],
    [{ type: 'array', prefixItems: [{ type: 'null' }, { type: 'null' }], maxItems: 1 }, '/maxItems'],
    [{ type: 'array', prefixItems: Array.from({ length: 20 }, () => ({ type: 'string', maxLength: 900 })) }, '/prefixItems/11'],
    [{ enum: Array.from({ length: 2_000 }, (_, index) => index) }, '/enum'],
    [[], 'its root'],
    [{ const: 'x'.repeat(70_000) }, 'its root'],
    [nested(40), 'levels'],
  ])('a schema that a text could not be held to is refused at its place: %#', (schema, at) => {
    const told = codeOf('a', { schema });
    expect(told).toMatch(/^schema_invalid: /);
    expect(told).toContain(at);
  });

  it.each([
    { type: 'object', title: 'a', properties: { a: { type: 'string', maxLength: 3 }, b: { oneOf: [{ const: 1 }, { type: 'null' }] } }, required: ['a'], additionalProperties: false },
    { type: 'array', items: { $ref: '#/$defs/name' }, maxItems: 3, $defs: { name: { enum: ['a', 'b'] } } },
    { type: ['string', 'null'] },
    { type: 'string', format: 'date-time' },
    { type: ['integer', 'null'], enum: [1, null] },
    { type: 'object', properties: {}, additionalProperties: { type: 'boolean' }, maxProperties: 5 },
    nested(20),
  ])('a schema that a text can be held to is taken: %#', (schema) => {
    expect(codeOf('a', { schema })).toBe('taken');
  });
});
