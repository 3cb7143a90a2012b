/** Whether a sandbox can be built here, for those who decide by it and start nothing yet. */

/**
 * What the system lacks for a sandbox with its filter, by name; nothing where it can build one. The first call asks
 * the system and holds the thread for tens of milliseconds.
 */
export async function sandboxLacks(): Promise<readonly string[]> {
  // Few ask, and every thread loads the kernel.
  const { lacking, probeSandbox } = await import('./sandbox-support.ts');
  return lacking(probeSandbox(), true);
}
