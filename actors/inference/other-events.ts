/** Resolves when the events that have happened meanwhile, messages of other threads among them, have been seen. */
export function otherEvents(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
