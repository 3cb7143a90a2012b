/** Stands in for node-llama-cpp's own test of its binary where that is left out; see binding-test.ts. */
export function testBindingBinary(): Promise<boolean> {
  return Promise.resolve(true);
}
