/** The function that calls.ts and piscina.ts call, in the worker of whichever library it is. */
import { parentPort, workerData } from 'node:worker_threads';
import { busy, nowUs } from './gauges.ts';
import type { Reading } from './reading.ts';
import { CONTROL_HANDLER_US, OVERLOAD_HANDLER_US } from './task.ts';

export function echo(reading: Reading): Reading {
  return reading;
}

/** The handler of the row of control. */
export function attend(): void {
  busy(CONTROL_HANDLER_US);
}

/** When a control message was handled. */
export function urgent(): number {
  return nowUs();
}

/** The handler of the row of overload. */
export function consume(): void {
  busy(OVERLOAD_HANDLER_US);
}

if (workerData === 'workerpool') {
  const { worker } = await import('workerpool');
  worker({ echo });
}
if (workerData === 'comlink') {
  const { expose } = await import('comlink');
  const { nodeEndpoint } = await import('./comlink-endpoint.ts');
  expose({ echo }, nodeEndpoint(parentPort!));
}
