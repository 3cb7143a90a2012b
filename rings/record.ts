/**
 * How one record lies in a ring.
 *
 *      0        4        8                    8 + length
 *      +--------+--------+---------------------+---------+
 *      | length |  kind  | payload             | padding |
 *      +--------+--------+---------------------+---------+
 *
 * `length` counts payload bytes only and takes 29 bits; the 3 bits above it count redeliveries. In an
 * MPSC ring the word holds length + 1 instead, because there 0 says that the record is not finished.
 * Records begin at multiples of 8, so a payload may be read through a Float64Array in place. A record
 * never straddles the end of the ring: what is left there is filled by a padding record, whose kind is
 * negative and which no handler sees.
 */

export const RECORD_HEADER_BYTES = 8;
export const RECORD_ALIGNMENT_BYTES = 8;

/** Kind of the record that fills the space before the wrap, or that of an abandoned claim. */
export const PADDING_KIND = -1;

export const LENGTH_MASK = 2 ** 29 - 1;
export const REDELIVERIES_SHIFT = 29;
/** Redeliveries are counted up to this and no further. */
const REDELIVERIES_MAX = 7;

/** Bytes that a record with `payloadBytes` of payload takes up in a ring. */
export function recordBytes(payloadBytes: number): number {
  return (payloadBytes + RECORD_HEADER_BYTES + RECORD_ALIGNMENT_BYTES - 1) & -RECORD_ALIGNMENT_BYTES;
}

/**
 * The longest payload a ring of this capacity takes: half the ring less the header. A larger record
 * could find neither the end nor the start of the ring free at once, and would wait forever.
 */
export function maxPayloadBytes(capacityBytes: number): number {
  return capacityBytes / 2 - RECORD_HEADER_BYTES;
}

/** The first header word of a record that was delivered once more than `header` says. */
export function redelivered(header: number): number {
  return header >>> REDELIVERIES_SHIFT === REDELIVERIES_MAX ? header : header + (1 << REDELIVERIES_SHIFT);
}
