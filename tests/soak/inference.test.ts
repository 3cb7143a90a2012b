/** The soak of inference in short, in a process of its own: mixed load on models that are swapped, unloaded and killed. */
import { describe, expect, it } from 'vitest';
import type { InferenceSoakReport } from './inference.ts';
import { soakedFor } from './soak-process.ts';

/** `SOAK_SECONDS` says otherwise. */
const seconds = Number(process.env['SOAK_SECONDS'] ?? 15);
/** A change of models, a quiet moment, the start and the end may take their time on a machine that has much else to do. */
const LIMIT_MS = seconds * 2_000 + 300_000;

describe('a host of models under mixed load', () => {
  it(
    'answers every text with the vector of the model it names, through swaps and killed processes, and keeps nothing',
    async () => {
      const report = await soakedFor<InferenceSoakReport>('inference', seconds, LIMIT_MS);
      expect(report.compared).toBeGreaterThan(0);
      expect(report.loadsMs.length).toBeGreaterThan(3);
      expect(report.quietMoments).toBeGreaterThan(3);
    },
    LIMIT_MS + 10_000,
  );
});
