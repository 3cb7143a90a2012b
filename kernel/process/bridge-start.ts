/** Adapts a worker thread to the bridge: what its entry file calls, and nothing else does. */
import assert from 'node:assert';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Bridge } from './bridge.ts';
import type { BridgeData, BridgeReport } from './process-worker.ts';

export function startBridge(): void {
  assert(!isMainThread && parentPort !== null, 'A bridge runs in a worker thread.');
  const port = parentPort;
  const bridge = new Bridge(workerData as BridgeData, (exitCode, report?: BridgeReport) => {
    if (report !== undefined) port.postMessage(report);
    process.exit(exitCode);
  });
  port.on('message', () => bridge.kill());
  // A bridge that fails must still see its process dead.
  process.on('uncaughtException', (error) => bridge.fail('process_bridge_failed', `The bridge to the process failed: ${error.stack ?? String(error)}`));
  process.on('unhandledRejection', (error) => bridge.fail('process_bridge_failed', `The bridge to the process failed: ${error instanceof Error ? error.stack : String(error)}`));
  void bridge.run();
}
