/**
 * As much of a WebAssembly assembler as the benches need: a module is written as lists of instructions, each
 * of which is a list of bytes. See "Binary Format" in the WebAssembly specification for all the numbers.
 */
type Bytes = readonly number[];
export type Code = readonly Bytes[];

export const I32 = 0x7f;
export const F64 = 0x7c;
const EMPTY = 0x40;
const FUNCTION = 0x60;
const SHARED_WITH_MAXIMUM = 0x03;
const MUTABLE = 0x01;

export interface WasmFunction {
  readonly name: string;
  readonly params: readonly number[];
  /** Locals after the parameters. */
  readonly locals?: readonly number[];
  readonly results: readonly number[];
  readonly code: Code;
}

export interface WasmModule {
  /** Pages of 64 KiB of the shared memory `ring.memory` that is imported. */
  readonly pages: number;
  /** Types of mutable globals, which begin at 0. */
  readonly globals: readonly number[];
  /** A function's index is its place; all are exported. */
  readonly functions: readonly WasmFunction[];
}

/** Shared memory that a thread may pass to the other threads of its process. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

// Node's types leave WebAssembly out, and the library that has it would bring the whole DOM along.
interface WasmApi {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: { ring: { memory: WasmMemory } }) => { exports: unknown };
}
const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;

export const PAGE_BYTES = 65_536;

export function createWasmMemory(pages: number): WasmMemory {
  return new Memory({ initial: pages, maximum: pages, shared: true });
}

/** The functions of a module by their names; the caller knows their types. */
export function instantiate(module: WasmModule, memory: WasmMemory): unknown {
  return new Instance(new Module(assemble(module)), { ring: { memory } }).exports;
}

function assemble({ pages, globals, functions }: WasmModule): Uint8Array<ArrayBuffer> {
  const zero = (type: number): Bytes => (type === F64 ? [0x44, 0, 0, 0, 0, 0, 0, 0, 0] : [0x41, 0]);
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, list(functions.map(({ params, results }) => [FUNCTION, ...list(params.map((type) => [type])), ...list(results.map((type) => [type]))]))),
    ...section(2, list([[...text('ring'), ...text('memory'), 0x02, SHARED_WITH_MAXIMUM, ...unsigned(pages), ...unsigned(pages)]])),
    ...section(3, list(functions.map((_, index) => unsigned(index)))),
    ...section(6, list(globals.map((type) => [type, MUTABLE, ...zero(type), 0x0b]))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, list(functions.map(({ locals = [], code }) => {
      const body = [...list(locals.map((type) => [1, type])), ...code.flat(), 0x0b];
      return [...unsigned(body.length), ...body];
    }))),
  ]);
}

export const op = {
  get: (local: number): Bytes => [0x20, ...unsigned(local)],
  set: (local: number): Bytes => [0x21, ...unsigned(local)],
  tee: (local: number): Bytes => [0x22, ...unsigned(local)],
  getGlobal: (global: number): Bytes => [0x23, ...unsigned(global)],
  setGlobal: (global: number): Bytes => [0x24, ...unsigned(global)],
  call: (index: number): Bytes => [0x10, ...unsigned(index)],
  return: [0x0f],
  drop: [0x1a],
  select: [0x1b],
  block: [0x02, EMPTY],
  loop: [0x03, EMPTY],
  if: [0x04, EMPTY],
  else: [0x05],
  end: [0x0b],
  br: (depth: number): Bytes => [0x0c, depth],
  brIf: (depth: number): Bytes => [0x0d, depth],
  i32: (value: number): Bytes => [0x41, ...signed(value)],
  f64One: [0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
  eqz: [0x45],
  eq: [0x46],
  ne: [0x47],
  ltU: [0x49],
  gtU: [0x4b],
  leU: [0x4d],
  geU: [0x4f],
  add: [0x6a],
  sub: [0x6b],
  multiply: [0x6c],
  and: [0x71],
  f64Add: [0xa0],
  load: (offset = 0): Bytes => [0x28, 2, ...unsigned(offset)],
  loadF64: (offset = 0): Bytes => [0x2b, 3, ...unsigned(offset)],
  loadI64: (offset = 0): Bytes => [0x29, 3, ...unsigned(offset)],
  store: (offset = 0): Bytes => [0x36, 2, ...unsigned(offset)],
  storeF64: (offset = 0): Bytes => [0x39, 3, ...unsigned(offset)],
  storeI64: (offset = 0): Bytes => [0x37, 3, ...unsigned(offset)],
  atomicLoad: (offset = 0): Bytes => [0xfe, 0x10, 2, ...unsigned(offset)],
  atomicStore: (offset = 0): Bytes => [0xfe, 0x17, 2, ...unsigned(offset)],
  copy: [0xfc, 0x0a, 0, 0],
} as const;

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest & 0x7f);
  return bytes;
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...new TextEncoder().encode(value)];
}

function list(items: readonly Bytes[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}
