/**
 * Measures the memory of the thread that it lives on, once what can be collected has been. Placed `inline` it is
 * the guardian's, whose heap nobody sees from outside.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { defineActor, defineProtocol } from '../../../kernel/index.ts';

/** Weak references and finalizers take a turn of the loop each before what they held is collected too. */
const COLLECTIONS = 4;
const TURN_MS = 5;

export const gaugeProtocol = defineProtocol('gauge', {
  measure: { request: { properties: {} }, reply: { properties: { heapUsed: { type: 'float64' }, external: { type: 'float64' } } } },
});

export const gauge = defineActor<typeof gaugeProtocol.spec, undefined>({
  protocol: gaugeProtocol,
  start: () => ({ handlers: { measure: collected } }),
});

/** Bytes of the JavaScript heap, and outside of it but held by it, after a collection. @throws TypeError without `--expose-gc` */
export async function collected(): Promise<{ heapUsed: number; external: number }> {
  if (globalThis.gc === undefined) throw new TypeError('What is left after a collection is only seen with --expose-gc.');
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    globalThis.gc();
    await pause(TURN_MS);
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heapUsed, external: external + arrayBuffers };
}
