/**
 * Stands in for node-llama-cpp's own test of its binary, which loads it in a process of its own first, so that a
 * binary that crashes does not take the application along. An isolated model is in such a process already: there the
 * test would protect nobody, and it would take the right to start processes, which a sandbox should not give.
 */
export function testBindingBinary(): Promise<boolean> {
  return Promise.resolve(true);
}
