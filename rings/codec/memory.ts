/**
 * What a codec needs of the memory it writes to and reads from: views over one buffer that start at
 * the same byte, a multiple of 8. The ring's `SharedMemory` is one.
 *
 * The codec's offsets count from there. Multi-byte numbers are little-endian; blocks are in the
 * host's order, and every host that runs JavaScript with shared memory is little-endian.
 */
export interface Memory {
  readonly buffer: ArrayBufferLike;
  readonly u8: Uint8Array;
  readonly view: DataView;
}
