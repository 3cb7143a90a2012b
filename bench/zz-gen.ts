import { run } from './generation.ts';
await run({ rounds: 3, print: console.log });
