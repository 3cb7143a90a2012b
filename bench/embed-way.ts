/** One way of the embed bench, in a process of its own: `embed-way.ts <way> <model> <tokens> <count>`. */
import type { EmbedWay } from './embed.ts';
import { libraryWay, spillwayWay } from './embedding-ways.ts';
import { textOfTokens } from './models/minilm.ts';

const [way, modelPath, tokens, count] = process.argv.slice(2) as [EmbedWay, string, string, string];
/** Share of the texts that is embedded before the clock starts: each thread first compiles its code. */
const WARM_UP = 1 / 4;
const texts = Array.from({ length: Number(count) }, (_, index) => textOfTokens(Number(tokens), index + 1));
const warmUp = Array.from({ length: Math.ceil(texts.length * WARM_UP) }, (_, index) => textOfTokens(Number(tokens), 1_000_000 + index));

const { embedAll, close } = await (way.startsWith('spillway')
  ? spillwayWay(modelPath, Number(way.at(-1)))
  : libraryWay(modelPath, { threads: way === 'defaults' ? 'defaults' : 'one', calls: way === 'promise-all' ? 'all at once' : 'in turn' }));
await embedAll(warmUp);
const startedAt = performance.now();
await embedAll(texts);
const seconds = (performance.now() - startedAt) / 1_000;
await close();
console.log(JSON.stringify({ seconds }));
process.exit(0);
