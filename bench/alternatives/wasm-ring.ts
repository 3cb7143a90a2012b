/**
 * The SPSC ring written in WebAssembly, in a shared WebAssembly.Memory: the framing, the cached positions and
 * the stores of rings/spsc-ring.ts, without its marks, counters, doorbell, checks and recovery.
 *
 *     byte 0        unused
 *     byte 128      TAIL      byte 256   HEAD
 *     byte 65536    records   RING_BYTES of them
 *     then          the source of the sending and the target of the receiving thread, a page apart
 *
 * The threads keep their own copies of positions in globals, as each has an instance of the module.
 */
import { F64, I32, PAGE_BYTES, instantiate, op } from './wasm-assembler.ts';
import type { Code, WasmFunction, WasmMemory } from './wasm-assembler.ts';

const TAIL = 128;
const HEAD = 256;
const RECORDS = PAGE_BYTES;
const HEADER_BYTES = 8;
const PADDING_KIND = -1;

/** Loops over words beat `memory.copy` below this, as calling it costs more than the words. */
const WORDWISE_BYTES = 128;

export interface WasmRing {
  /** Room for `bytes` of records, as `tryClaimBatch`: 1, or 0 when there is none. */
  reserve(bytes: number): number;
  /** Lays a record's header; returns where its payload goes. */
  append(kind: number, payloadBytes: number): number;
  commit(): void;
  /** A batch in one call: `count` records of the source, stamped with `number` and following. 0 when there is no room. */
  send(source: number, payloadBytes: number, count: number, number: number): number;
  /** Copies up to `limit` records to the target, one over the other, and returns how many. */
  receive(target: number, limit: number): number;
  /** The payload of the next record, or 0 when there is none; the former one stays until `release`. */
  next(): number;
  /** Gives back all records that `next` has returned. */
  release(): void;
  /** What the first and last words of all records that `receive` has copied add up to. */
  sum(): number;
}

export interface WasmRingLayout {
  readonly ringBytes: number;
  readonly sourceAddress: number;
  readonly targetAddress: number;
  readonly pages: number;
}

/** @param ringBytes a power of two, at least a page */
export function layoutOf(ringBytes: number, payloadBytes: number): WasmRingLayout {
  const spare = Math.ceil(payloadBytes / PAGE_BYTES) * PAGE_BYTES;
  const sourceAddress = RECORDS + ringBytes;
  return { ringBytes, sourceAddress, targetAddress: sourceAddress + spare, pages: (sourceAddress + 2 * spare) / PAGE_BYTES };
}

export function openWasmRing(memory: WasmMemory, { pages, ringBytes }: WasmRingLayout): WasmRing {
  return instantiate({ pages, globals: [I32, I32, I32, I32, I32, F64, I32], functions: ringFunctions(ringBytes) }, memory) as WasmRing;
}

const [MY_TAIL, HEAD_CACHE, END, MY_HEAD, TAIL_CACHE, SUM, NEXT] = [0, 1, 2, 3, 4, 5, 6] as const;
const [RESERVE, APPEND, COMMIT, COPY] = [0, 1, 2, 3] as const;

function ringFunctions(ringBytes: number): WasmFunction[] {
  const { get, set, tee, getGlobal, setGlobal, i32 } = op;
  const mask = i32(ringBytes - 1);
  /** payload bytes on the stack -> bytes of the record. */
  const recordBytes: Code = [i32(HEADER_BYTES + 7), op.add, i32(-8), op.and];
  /** Whether `room` (a local) bytes are free, by our copy of the head. */
  const isFull = (room: number): Code => [i32(ringBytes), getGlobal(MY_TAIL), getGlobal(HEAD_CACHE), op.sub, op.sub, get(room), op.ltU];

  const reserve: WasmFunction = {
    name: 'reserve', params: [I32], locals: [I32, I32, I32], results: [I32],
    code: (() => {
      const [bytes, toEnd, room, place] = [0, 1, 2, 3] as const;
      return [
        getGlobal(MY_TAIL), mask, op.and, tee(place), set(place),
        i32(ringBytes), get(place), op.sub, set(toEnd),
        // Padding, if the records would straddle the end.
        get(toEnd), i32(0), get(bytes), get(toEnd), op.gtU, op.select, tee(toEnd), get(bytes), op.add, set(room),
        ...isFull(room), op.if,
        i32(0), op.atomicLoad(HEAD), setGlobal(HEAD_CACHE),
        ...isFull(room), op.if, i32(0), op.return, op.end,
        op.end,
        get(toEnd), op.if,
        get(place), get(toEnd), i32(HEADER_BYTES), op.sub, op.store(RECORDS),
        get(place), i32(PADDING_KIND), op.store(RECORDS + 4),
        op.end,
        getGlobal(MY_TAIL), get(toEnd), op.add, setGlobal(END),
        i32(1),
      ];
    })(),
  };
  const append: WasmFunction = {
    name: 'append', params: [I32, I32], locals: [I32], results: [I32],
    code: (() => {
      const [kind, payload, place] = [0, 1, 2] as const;
      return [
        getGlobal(END), mask, op.and, tee(place), get(payload), op.store(RECORDS),
        get(place), get(kind), op.store(RECORDS + 4),
        getGlobal(END), get(payload), ...recordBytes, op.add, setGlobal(END),
        get(place), i32(RECORDS + HEADER_BYTES), op.add,
      ];
    })(),
  };
  const commit: WasmFunction = {
    name: 'commit', params: [], results: [],
    code: [i32(0), getGlobal(END), op.atomicStore(TAIL), getGlobal(END), setGlobal(MY_TAIL)],
  };
  const copy: WasmFunction = {
    name: 'copy', params: [I32, I32, I32], locals: [I32], results: [],
    code: (() => {
      const [to, from, bytes, end] = [0, 1, 2, 3] as const;
      return [
        get(bytes), i32(WORDWISE_BYTES), op.gtU, op.if,
        get(to), get(from), get(bytes), op.copy, op.return,
        op.end,
        get(from), get(bytes), op.add, set(end),
        op.loop,
        get(to), get(from), op.loadI64(), op.storeI64(),
        get(to), i32(8), op.add, set(to),
        get(from), i32(8), op.add, tee(from), get(end), op.ltU, op.brIf(0),
        op.end,
      ];
    })(),
  };
  const send: WasmFunction = {
    name: 'send', params: [I32, I32, I32, F64], locals: [I32], results: [I32],
    code: (() => {
      const [source, payload, count, number, bytes] = [0, 1, 2, 3, 4] as const;
      return [
        get(payload), ...recordBytes, get(count), op.multiply, tee(bytes), op.call(RESERVE), op.eqz, op.if, i32(0), op.return, op.end,
        op.loop,
        get(source), get(number), op.storeF64(),
        get(source), get(payload), op.add, i32(8), op.sub, get(number), op.storeF64(),
        i32(1), get(payload), op.call(APPEND), get(source), get(payload), op.call(COPY),
        get(number), op.f64One, op.f64Add, set(number),
        get(count), i32(1), op.sub, tee(count), op.brIf(0),
        op.end,
        op.call(COMMIT),
        i32(1),
      ];
    })(),
  };
  const receive: WasmFunction = {
    name: 'receive', params: [I32, I32], locals: [I32, I32, I32, I32], results: [I32],
    code: (() => {
      const [target, limit, handled, head, place, length] = [0, 1, 2, 3, 4, 5] as const;
      return [
        getGlobal(MY_HEAD), set(head),
        op.block, op.loop,
        get(handled), get(limit), op.geU, op.brIf(1),
        get(head), getGlobal(TAIL_CACHE), op.eq, op.if,
        i32(0), op.atomicLoad(TAIL), setGlobal(TAIL_CACHE),
        get(head), getGlobal(TAIL_CACHE), op.eq, op.brIf(2),
        op.end,
        get(head), mask, op.and, tee(place), op.load(RECORDS), set(length),
        get(head), get(length), ...recordBytes, op.add, set(head),
        get(place), op.load(RECORDS + 4), i32(PADDING_KIND), op.eq, op.brIf(0),
        get(target), get(place), i32(RECORDS + HEADER_BYTES), op.add, get(length), op.call(COPY),
        getGlobal(SUM), get(target), op.loadF64(), op.f64Add,
        get(target), get(length), op.add, i32(8), op.sub, op.loadF64(), op.f64Add, setGlobal(SUM),
        get(handled), i32(1), op.add, set(handled),
        op.br(0),
        op.end, op.end,
        get(head), getGlobal(MY_HEAD), op.ne, op.if,
        i32(0), get(head), op.atomicStore(HEAD), get(head), setGlobal(MY_HEAD),
        op.end,
        get(handled),
      ];
    })(),
  };
  const next: WasmFunction = {
    name: 'next', params: [], locals: [I32], results: [I32],
    code: (() => {
      const place = 0;
      return [
        op.loop,
        getGlobal(NEXT), getGlobal(TAIL_CACHE), op.eq, op.if,
        i32(0), op.atomicLoad(TAIL), setGlobal(TAIL_CACHE),
        getGlobal(NEXT), getGlobal(TAIL_CACHE), op.eq, op.if, i32(0), op.return, op.end,
        op.end,
        getGlobal(NEXT), mask, op.and, set(place),
        getGlobal(NEXT), get(place), op.load(RECORDS), ...recordBytes, op.add, setGlobal(NEXT),
        get(place), op.load(RECORDS + 4), i32(PADDING_KIND), op.eq, op.brIf(0),
        op.end,
        get(place), i32(RECORDS + HEADER_BYTES), op.add,
      ];
    })(),
  };
  const release: WasmFunction = { name: 'release', params: [], results: [], code: [i32(0), getGlobal(NEXT), op.atomicStore(HEAD)] };
  const sum: WasmFunction = { name: 'sum', params: [], results: [F64], code: [getGlobal(SUM)] };
  return [reserve, append, commit, copy, send, receive, next, release, sum];
}
