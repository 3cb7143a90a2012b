/**
 * Adapts a worker thread to the bridge: what its entry file calls, and nothing else does. The process is started
 * before the bridge is even loaded, which takes about as long as the process takes to say who it is.
 */
import assert from 'node:assert';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { SpillwayError } from '../errors.ts';
import type { CompleteBridgeData } from './bridge.ts';
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
  let data: CompleteBridgeData;
  try {
    data = { ...given, process: completeProcess(given.process) };
    begun = await launch({ ...data, source: data.boot.source, page });
  } catch (error) {
    return leave(1, notStarted(error));
  }
  const { launched } = begun;
  if (begun.support !== undefined && given.support === undefined) port.postMessage({ support: begun.support } satisfies FoundSupport);
  // A bridge that fails must still see its process dead.
  let fail = (code: string, message: string): void => {
    launched.kill();
    leave(1, { code, message });
  };
  const onDefect = (error: unknown): void => fail('process_bridge_failed', `The bridge to the process failed: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('uncaughtException', onDefect);
  process.on('unhandledRejection', onDefect);
  const { Bridge } = await import('./bridge.ts');
  const bridge = new Bridge(data, launched, page, leave);
  fail = (code, message) => bridge.fail(code, message);
  // What was said before waits in the port.
  port.on('message', () => bridge.kill());
  bridge.begin();
}

/** @param error of the launch */
function notStarted(error: unknown): BridgeReport {
  const code = error instanceof SpillwayError ? error.code : 'process_spawn_failed';
  return { code, message: `The process could not be started: ${error instanceof Error ? error.message : String(error)}` };
}
