/** Loads the native library, and says in how many processes it was tested for that. */
import { leaveOutBindingTest, proveBindingOnce } from '../../actors/inference/binding-test.ts';
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

let forks = 0;
const { fork } = childProcess;
childProcess.fork = ((...args: Parameters<typeof fork>) => {
  forks++;
  return fork(...args);
}) as typeof fork;
syncBuiltinESMExports();

if (process.argv[2] === 'once') proveBindingOnce();
else leaveOutBindingTest();
const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, logLevel: LlamaLogLevel.disabled });
await llama.dispose();
console.log(`tested in ${forks} processes`);
