/**
 * The vocabulary of GGUF, the file format of llama.cpp models: typed metadata values and the
 * storage types of tensors.
 *
 * GGUF metadata is strictly typed (a u32 where llama.cpp wants an f32 is a load error), so a value
 * carries its type with it and is made by a constructor named after that type. Layout and type
 * numbers follow the GGUF specification in the ggml repository, `docs/gguf.md`.
 */

/** A metadata value with its GGUF type. Of the format's types, those that model files here need. */
export type GgufValue =
  | { readonly type: 'u32'; readonly value: number }
  | { readonly type: 'i32'; readonly value: number }
  | { readonly type: 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'str'; readonly value: string }
  | { readonly type: 'strArray'; readonly value: readonly string[] }
  | { readonly type: 'i32Array'; readonly value: ArrayLike<number> }
  | { readonly type: 'f32Array'; readonly value: ArrayLike<number> };

export const u32 = (value: number): GgufValue => ({ type: 'u32', value });
export const i32 = (value: number): GgufValue => ({ type: 'i32', value });
export const f32 = (value: number): GgufValue => ({ type: 'f32', value });
export const bool = (value: boolean): GgufValue => ({ type: 'bool', value });
export const str = (value: string): GgufValue => ({ type: 'str', value });
export const strArray = (value: readonly string[]): GgufValue => ({ type: 'strArray', value });
export const i32Array = (value: ArrayLike<number>): GgufValue => ({ type: 'i32Array', value });
export const f32Array = (value: ArrayLike<number>): GgufValue => ({ type: 'f32Array', value });

/** Type numbers of metadata values as they stand in the file. */
export const VALUE_TYPE = {
  u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, str: 8, array: 9, u64: 10, i64: 11, f64: 12,
} as const;

/** Every file begins with these four bytes, "GGUF", here read as a little-endian u32. */
export const GGUF_MAGIC = 0x46554747;
/** The version that is written. Versions 2 and 3 have the same layout and are both read. */
export const GGUF_VERSION = 3;
/** Tensor data begins, and each tensor is padded, at a multiple of this unless `general.alignment` says otherwise. */
export const GGUF_ALIGNMENT_BYTES = 32;

/** The storage types that the writer produces. */
export type WritableTensorType = 'F32' | 'F16' | 'Q8_0';

/** How a tensor type is stored: `bytes` for each block of `elements` values along the first dimension. */
export interface TensorLayout {
  readonly id: number;
  readonly elements: number;
  readonly bytes: number;
}

/** Sizes of the types, needed to hold tensor offsets against the file's size. From ggml's type traits. */
export const TENSOR_LAYOUT = {
  F32: { id: 0, elements: 1, bytes: 4 },
  F16: { id: 1, elements: 1, bytes: 2 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  Q4_1: { id: 3, elements: 32, bytes: 20 },
  Q5_0: { id: 6, elements: 32, bytes: 22 },
  Q5_1: { id: 7, elements: 32, bytes: 24 },
  Q8_0: { id: 8, elements: 32, bytes: 34 },
  Q8_1: { id: 9, elements: 32, bytes: 36 },
  Q2_K: { id: 10, elements: 256, bytes: 84 },
  Q3_K: { id: 11, elements: 256, bytes: 110 },
  Q4_K: { id: 12, elements: 256, bytes: 144 },
  Q5_K: { id: 13, elements: 256, bytes: 176 },
  Q6_K: { id: 14, elements: 256, bytes: 210 },
  Q8_K: { id: 15, elements: 256, bytes: 292 },
  IQ2_XXS: { id: 16, elements: 256, bytes: 66 },
  IQ2_XS: { id: 17, elements: 256, bytes: 74 },
  IQ3_XXS: { id: 18, elements: 256, bytes: 98 },
  IQ1_S: { id: 19, elements: 256, bytes: 50 },
  IQ4_NL: { id: 20, elements: 32, bytes: 18 },
  IQ3_S: { id: 21, elements: 256, bytes: 110 },
  IQ2_S: { id: 22, elements: 256, bytes: 82 },
  IQ4_XS: { id: 23, elements: 256, bytes: 136 },
  I8: { id: 24, elements: 1, bytes: 1 },
  I16: { id: 25, elements: 1, bytes: 2 },
  I32: { id: 26, elements: 1, bytes: 4 },
  I64: { id: 27, elements: 1, bytes: 8 },
  F64: { id: 28, elements: 1, bytes: 8 },
  IQ1_M: { id: 29, elements: 256, bytes: 56 },
  BF16: { id: 30, elements: 1, bytes: 2 },
  TQ1_0: { id: 34, elements: 256, bytes: 54 },
  TQ2_0: { id: 35, elements: 256, bytes: 66 },
  MXFP4: { id: 39, elements: 32, bytes: 17 },
} as const satisfies Record<string, TensorLayout>;

export type TensorType = keyof typeof TENSOR_LAYOUT;

/** Size in bytes of `elementCount` values stored as `type`. */
export function tensorSizeBytes(type: TensorType, elementCount: number): number {
  const layout = TENSOR_LAYOUT[type];
  return (elementCount / layout.elements) * layout.bytes;
}
