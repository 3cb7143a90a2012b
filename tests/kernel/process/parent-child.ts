/** A program with an actor in a process of its own, whose number it tells; then it does what it was told. */
import { SmallSystem } from './small-system.ts';

const system = await SmallSystem.create();
await system.start({ name: 'outcast' });
const outcast = await system.outcast('outcast');
const { pid } = await outcast.ask('pid', {}, { deadlineMs: 20_000 });
if (process.argv[2] === 'spin') {
  outcast.tell('spin', {});
  // Until it does.
  while (system.application.inspect().threads.find(({ name }) => name === 'outcast')?.handling === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
}
process.stdout.write(`${pid}\n`);
if (process.argv[2] === 'exit') process.exit(0);
