import { compileCodec, defineSchema } from 'atomics-ring-buffer';
import type { Codec, JtdSchema, JtdType } from 'atomics-ring-buffer';
import { describe, expectTypeOf, it } from 'vitest';

describe('the type of a schema', () => {
  it('follows every form', () => {
    const schema = defineSchema({
      definitions: { point: { properties: { x: { type: 'float32' }, y: { type: 'float32' } } } },
      properties: {
        id: { type: 'uint32' },
        name: { type: 'string', nullable: true },
        at: { type: 'timestamp' },
        state: { enum: ['open', 'closed'] },
        points: { elements: { ref: 'point' } },
        numbers: { elements: { type: 'float64' } },
        row: { elements: { type: 'float32' }, metadata: { typedArray: true } },
        counts: { values: { type: 'int32' } },
        anything: {},
      },
      optionalProperties: { done: { type: 'boolean' }, centre: { ref: 'point', nullable: true } },
    });
    expectTypeOf<JtdType<typeof schema>>().toEqualTypeOf<{
      id: number;
      name: string | null;
      at: Date;
      state: 'open' | 'closed';
      points: { x: number; y: number }[];
      numbers: number[];
      row: Float32Array;
      counts: Record<string, number>;
      anything: unknown;
      done?: boolean;
      centre?: { x: number; y: number } | null;
    }>();
  });

  it('is a discriminated union for a discriminator', () => {
    const schema = defineSchema({
      discriminator: 'kind',
      mapping: { text: { properties: { body: { type: 'string' } } }, stop: { optionalProperties: { code: { type: 'int8' } } } },
    });
    expectTypeOf<JtdType<typeof schema>>().toEqualTypeOf<{ kind: 'text'; body: string } | { kind: 'stop'; code?: number }>();
  });

  it('has the typed array of each number type', () => {
    expectTypeOf<JtdType<{ elements: { type: 'float64' }; metadata: { typedArray: true } }>>().toEqualTypeOf<Float64Array>();
    expectTypeOf<JtdType<{ elements: { type: 'uint8' }; metadata: { typedArray: true }; nullable: true }>>().toEqualTypeOf<Uint8Array | null>();
  });

  it('reaches the codec without `as const`', () => {
    const codec = compileCodec({ properties: { state: { enum: ['open', 'closed'] } } });
    expectTypeOf(codec).toEqualTypeOf<Codec<{ state: 'open' | 'closed' }>>();
  });

  it('is unknown for a schema known only at run time', () => {
    expectTypeOf<JtdType<JtdSchema>>().toEqualTypeOf<unknown>();
  });
});
