/**
 * One shared buffer seen through views of several widths.
 *
 * Codecs write and read records in place, and making a view costs more than the access it is for, so
 * the views are made once. Plain accesses through them are safe where the ring's protocol says so:
 * before a record is published, or after it was seen and before it is released.
 */
export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly view: DataView;

  /** @param buffer its size must be a multiple of 8 */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.view = new DataView(buffer);
  }
}
