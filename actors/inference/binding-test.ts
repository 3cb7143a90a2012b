/**
 * node-llama-cpp first loads its native binary in a process of its own, so that one that crashes does not take the
 * application along; and it does so anew in each thread, so in each life of a model, though what it finds
 * out of a binary and a machine does not change. So it is done once, and remembered (proven-binding.ts).
 *
 * A process that was made for a model is such a process already: there the test would protect nobody, and it would take
 * the right to start processes, which a sandbox should not give. It is left out there.
 */
import { registerHooks } from 'node:module';
import { siblingModule } from '../../kernel/index.ts';

/** How the library imports its test. Should it be named otherwise one day, the test runs each time, and a sandbox refuses it. */
const BINDING_TEST = './utils/testBindingBinary.js';
/** Search parameter of proven-binding.ts: the URL of the library's own test. */
export const OWN_TEST = 'own';

let isHooked = false;

/** Call it before the library is loaded, in a process that holds nothing but the model. */
export function leaveOutBindingTest(): void {
  replaceTest(() => siblingModule('untested-binding', import.meta.url));
}

/** Call it before the library is loaded, in a thread. */
export function proveBindingOnce(): void {
  replaceTest((own) => `${siblingModule('proven-binding', import.meta.url)}?${OWN_TEST}=${encodeURIComponent(own)}`);
}

/** The first one in a thread holds. */
function replaceTest(urlFor: (ownTest: string) => string): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      return specifier === BINDING_TEST ? { url: urlFor(resolved.url), shortCircuit: true } : resolved;
    },
  });
}
