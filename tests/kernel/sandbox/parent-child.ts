/** Starts a sandboxed process, says which it is, and stays: killed, it must take that along. `thread`: from a worker that then ends. */
import { spawn } from 'node:child_process';
import { isMainThread, Worker } from 'node:worker_threads';
import { sandboxed, sandboxedPid } from '../../../kernel/sandbox/index.ts';

if (process.argv[2] === 'thread' && isMainThread) {
  const worker = new Worker(import.meta.filename, { argv: ['thread'] });
  worker.on('message', (line: string) => console.log(line));
  process.stdin.once('data', () => void worker.terminate());
} else {
  const script = 'process.on("SIGTERM", () => undefined); console.log("up"); setInterval(() => undefined, 1e6)';
  const { command, args, env } = sandboxed({}, { command: process.execPath, args: ['-e', script], env: {} });
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.once('data', () => console.log(JSON.stringify({ outer: child.pid, inner: sandboxedPid(child.pid!) })));
}
