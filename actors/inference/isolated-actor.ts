/**
 * The inference actor as it runs in a process of its own. It is the same actor; what differs is that nothing in its
 * process is worth a test of the native binary beforehand (untested-binding.ts), so its sandbox need not permit
 * processes, and each of its lives starts the sooner.
 */
import { registerHooks } from 'node:module';
import { siblingModule } from '../../kernel/index.ts';
import { inference } from './actor.ts';

/** How node-llama-cpp imports its test. Should it be named otherwise one day, the test runs, and a sandbox refuses it. */
const BINDING_TEST = './utils/testBindingBinary.js';

export const isolatedInference: typeof inference = {
  ...inference,
  start(context, args) {
    const url = siblingModule('untested-binding', import.meta.url);
    registerHooks({ resolve: (specifier, around, next) => (specifier === BINDING_TEST ? { url, shortCircuit: true } : next(specifier, around)) });
    return inference.start(context, args);
  },
};
