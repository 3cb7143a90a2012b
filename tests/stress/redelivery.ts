/** Threads terminated under load: at least once, nothing is lost and each repetition is marked; at most once, nothing is repeated. */
import { siege } from '../kernel/delivery/siege.ts';
import type { Report, Watch } from './run.ts';

/** Kills of one system; each round begins with a new one. */
const ROUND = 25;

export async function redelivery(count: number, watch: Watch, firstSeed = 1): Promise<Report> {
  const figures: Record<string, number> = { 'first seed': firstSeed, kills: 0 };
  const failures: string[] = [];
  const play = async (): Promise<void> => {
    for (let seed = firstSeed, left = count; left > 0; seed++, left -= ROUND) {
      const guarantee = seed % 2 === 1 ? 'at_least_once' : 'at_most_once';
      const round = await siege({ guarantee, kills: Math.min(ROUND, left), seed, onKill: () => void figures['kills']!++ });
      for (const [name, figure] of Object.entries(round.figures)) {
        if (name !== 'kills') figures[`${guarantee}: ${name}`] = (figures[`${guarantee}: ${name}`] ?? 0) + figure;
      }
      failures.push(...round.violations.map((violation) => `seed ${seed}, ${guarantee}: ${violation}`));
    }
  };
  await watch(() => figures['kills']! / count, play());
  return { figures, failures };
}
