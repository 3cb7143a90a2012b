/** The soak in short: a system at full load with a fault every second, in a process of its own. */
import { describe, expect, it } from 'vitest';
import { soakedFor } from './soak-process.ts';
import type { SoakReport } from './soak.ts';

/** `SOAK_SECONDS` says otherwise. A developer who waits for his tests gets less of it. */
const DEFAULT_SECONDS = process.env['CI'] === undefined ? 20 : 300;
const seconds = Number(process.env['SOAK_SECONDS'] ?? DEFAULT_SECONDS);
/** A quiet moment may take its time, and so may the start and the end, on a machine that has much else to do. */
const LIMIT_MS = seconds * 2_000 + 180_000;

describe('a system at full load with a fault every second', () => {
  it(
    'ends every ask, accounts for every message, restarts what fails and keeps nothing',
    async () => {
      const report = await soakedFor<SoakReport>('run', seconds, LIMIT_MS);
      expect(report.restarts).toBeGreaterThan(0);
      expect(report.quietMoments).toBeGreaterThan(1);
    },
    LIMIT_MS + 10_000,
  );
});
