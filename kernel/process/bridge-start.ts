/**
 * Adapts a worker thread to the bridge: what its entry file calls, and nothing else does. The process is started
 * before the bridge is even loaded, which takes about as long as the process takes to say who it is.
 */
import assert from 'node:assert';
import { isMainThread, parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { SpillwayError } from '../errors.ts';
import { launch, type Launch } from './child-command.ts';
import { openPage } from './page-file.ts';
import { completeProcess } from './process-check.ts';
import type { BridgeData, BridgeReport, FoundSupport } from './process-worker.ts';

export async function startBridge(): Promise<void> {
  assert(!isMainThread && parentPort !== null, 'A bridge runs in a worker thread.');
  const port = parentPort;
  const given = workerData as BridgeData;
  const page = openPage();
  const leave = (exitCode: number, report?: BridgeReport): void => {
    if (report !== undefined) port.postMessage(report);
    process.exit(exitCode);
  };
  let begun: Launch;
  let data: BridgeData;
  try {
    data = { ...given, process: completeProcess(given.process) };
    begun = await launch({ ...data, source: data.boot.source, page });
  } catch (error) {
    return leave(1, notStarted(error));
  }
  const { launched } = begun;
  if (begun.support !== undefined && given.support === undefined) tellSupport(port, begun.support);
  // A bridge that fails must still see its process dead.
  let fail = (message: string): void => {
    launched.kill();
    leave(1, failed(message));
  };
  process.on('uncaughtException', (error) => fail(error.stack ?? String(error)));
  process.on('unhandledRejection', (error) => fail(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  const { Bridge } = await import('./bridge.ts');
  const bridge = new Bridge(data, launched, page, leave);
  fail = (message) => bridge.fail(failed(message));
  // What was said before waits in the port.
  port.on('message', () => bridge.kill());
  bridge.begin();
}

function tellSupport(port: MessagePort, support: FoundSupport['support']): void {
  port.postMessage({ support } satisfies FoundSupport);
}

function failed(message: string): BridgeReport {
  return { code: 'process_bridge_failed', message: `The bridge to the process failed: ${message}` };
}

/** @param error of the launch */
export function notStarted(error: unknown): BridgeReport {
  const code = error instanceof SpillwayError ? error.code : 'process_spawn_failed';
  return { code, message: `The process could not be started: ${error instanceof Error ? error.message : String(error)}` };
}
