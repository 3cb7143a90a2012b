/**
 * node-llama-cpp first loads its native binary in a process of its own, so that one that crashes does not take the
 * application along. A process that was made for a model is such a process already: there the test would protect
 * nobody, and it would take the right to start processes, which a sandbox should not give. Without it each life also starts
 * the sooner.
 */
import { registerHooks } from 'node:module';
import { siblingModule } from '../../kernel/index.ts';

/** How the library imports its test. Should it be named otherwise one day, the test runs, and a sandbox refuses it. */
const BINDING_TEST = './utils/testBindingBinary.js';

/** Call it before the library is loaded, in a process that holds nothing but the model. */
export function leaveOutBindingTest(): void {
  const url = siblingModule('untested-binding', import.meta.url);
  registerHooks({ resolve: (specifier, around, next) => (specifier === BINDING_TEST ? { url, shortCircuit: true } : next(specifier, around)) });
}
