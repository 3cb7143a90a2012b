/**
 * The generator actor as it runs in a process of its own: without the test of the native binary, as the inference
 * actor does there (isolated-actor.ts of the folder above).
 */
import { registerHooks } from 'node:module';
import { siblingModule } from '../../../kernel/index.ts';
import { generation } from './actor.ts';

/** How node-llama-cpp imports its test. Should it be named otherwise one day, the test runs, and a sandbox refuses it. */
const BINDING_TEST = './utils/testBindingBinary.js';

export const isolatedGeneration: typeof generation = {
  ...generation,
  start(context, args) {
    const url = siblingModule('../untested-binding', import.meta.url);
    registerHooks({ resolve: (specifier, around, next) => (specifier === BINDING_TEST ? { url, shortCircuit: true } : next(specifier, around)) });
    return generation.start(context, args);
  },
};
