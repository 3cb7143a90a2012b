/** One way: `child.ts <way> <rounds>`. It loads nothing but what its way needs. */
import type { Report, Way } from './task.ts';

async function measure(way: Way, rounds: number): Promise<Report> {
  switch (way) {
    case 'piscina':
      return (await import('./piscina.ts')).measurePiscina(rounds);
    case 'bare Worker':
      return (await import('./bare-worker.ts')).measureBareWorker(rounds);
    default:
      return (await import('./places.ts')).measurePlace(way, rounds);
  }
}

process.stdout.write(JSON.stringify(await measure(process.argv[2] as Way, Number(process.argv[3]))));
