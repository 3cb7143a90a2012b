/**
 * One way of one scenario: `child.ts <scenario as JSON>`. It loads nothing but what its way needs, so that
 * memory and optimised code are those of the way alone.
 */
import type { Reports, Row, Scenario } from './task.ts';

/** Each way offers the scenarios that make sense for it. */
export type Contestant = { readonly [N in Row]?: (scenario: Extract<Scenario, { name: N }>) => Promise<Reports[N]> };

async function contestant({ way, name }: Scenario): Promise<Contestant> {
  switch (way) {
    case 'Spillway':
    case 'Spillway, event loop':
      return name === 'local' || name === 'crowd' ? (await import('./light-actors.ts')).lightActors : (await import('./spillway.ts')).spillway;
    case 'postMessage':
    case 'postMessage, own port':
      return (await import('./port.ts')).port;
    case 'nact':
      return (await import('./nact.ts')).nact;
    case 'piscina':
      return (await import('./piscina.ts')).piscina;
    case 'tinypool':
    case 'workerpool':
    case 'comlink':
      return (await import('./calls.ts')).calls;
    default:
      throw new TypeError(`${way} does not run in Node.`);
  }
}

const scenario = JSON.parse(process.argv[2]!) as Scenario;
const offered = (await contestant(scenario))[scenario.name] as ((scenario: Scenario) => Promise<unknown>) | undefined;
if (offered === undefined) throw new TypeError(`${scenario.way} has no '${scenario.name}'.`);
process.stdout.write(JSON.stringify(await offered(scenario)));
