/**
 * The three lanes between two threads. Each is a ring of its own with capacity of its own, so a full
 * data lane cannot hold up a control message, and a flood of telemetry cannot hold up either.
 *
 *   control    never shed: a full control lane refuses the sender with a code
 *   data       bounded; a full lane refuses the sender, who slows down
 *   telemetry  may be lost: a full lane drops the newest record and counts it
 */
export const LANES = ['control', 'data', 'telemetry'] as const;

export type Lane = (typeof LANES)[number];

/** Bytes of record space of each lane, and the data lane's marks. */
export interface LaneSizes {
  readonly controlBytes: number;
  readonly dataBytes: number;
  readonly telemetryBytes: number;
  /** Level above which the data lane is said to be pressured. Default: three quarters. */
  readonly highMarkBytes?: number;
  /** Level below which it no longer is. Default: one quarter. */
  readonly lowMarkBytes?: number;
}

/**
 * Control: about 500 messages of 100 bytes, far more than a supervisor sends before it is answered.
 * Data: two batches of 32 texts of 2 KiB may wait while one is handled, and a record may take half a
 * ring. Telemetry: some 200 log lines between two looks.
 */
export const DEFAULT_LANE_SIZES: LaneSizes = {
  controlBytes: 64 * 1024,
  dataBytes: 1024 * 1024,
  telemetryBytes: 64 * 1024,
};
