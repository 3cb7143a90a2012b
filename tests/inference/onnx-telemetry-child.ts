/** Embeds one text with the ONNX model of the folder that it is told, as an application would. */
import { createEmbedder, createSystem } from '../../actors/index.ts';

const system = await createSystem({ logLevel: 'error' });
const embedder = await createEmbedder(system, { model: process.argv[2]!, actors: 1, quarantine: false, cacheDir: process.argv[3]! });
console.log((await embedder.embed(['w1 w2']))[0]!.length);
await system.close();
