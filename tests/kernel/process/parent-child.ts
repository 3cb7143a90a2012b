/** A program with actors in processes of their own, whose numbers it tells; then it does what it was told. */
import { SmallSystem } from './small-system.ts';

const system = await SmallSystem.create();
const names = process.argv[2] === 'spin' ? ['idle', 'spinning'] : ['idle'];
const pids = names.map(async (name) => {
  await system.start({ name });
  return (await (await system.outcast(name)).ask('pid', {}, { deadlineMs: 20_000 })).pid;
});
await Promise.all(pids);
if (process.argv[2] === 'spin') {
  (await system.outcast('spinning')).tell('spin', {});
  // Until it does.
  while (system.application.inspect().threads.find(({ name }) => name === 'spinning')?.handling === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
}
process.stdout.write(`${(await Promise.all(pids)).join(' ')}\n`);
if (process.argv[2] === 'exit') process.exit(0);
