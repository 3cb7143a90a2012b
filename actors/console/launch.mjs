#!/usr/bin/env node
// The `spillway` command. Plain JavaScript for any Node: it finds the right Node and the right files,
// then hands over.
//
// In a checkout the sources run as they are, which takes a condition on the command line for the
// `atomics-ring-buffer` workspace; in an installed package the compiled files run.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { availableParallelism, constants, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED_MAJOR = 24;
const CONDITION = '--conditions=spillway-src';
const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, 'main.ts');
const isCheckout = existsSync(source);

// Native calls of all threads share one pool, whose size is read when it is first used, which is before
// any option is. One thread for each embedder: with more, the pool hands every text to another thread,
// and the system keeps putting two of them on one core (`npm run bench -- pool`).
process.env.UV_THREADPOOL_SIZE ||= String(actorsWanted());
// As actors/inference/onnx/no-telemetry.ts says, which is not loaded yet.
process.env.ORT_DISABLE_TELEMETRY ??= '1';
// Every thread loads the same modules; compiled once, they start several times faster. As a variable,
// because that also reaches the worker threads; in the user's own folder, because it holds code.
process.env.NODE_COMPILE_CACHE ||= join(cacheFolder(), 'compiled');

const isRightNode = Number(process.versions.node.split('.')[0]) >= WANTED_MAJOR;
if (isRightNode && (!isCheckout || process.execArgv.includes(CONDITION))) {
  module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  const { main } = await import(isCheckout ? source : '../../dist/actors/console/main.js');
  await main(process.argv.slice(2));
} else {
  handOver(isRightNode ? process.execPath : bundledNode());
}

/** What `--actors` or its variable says, read ahead of the real parsing; one for each core otherwise. */
function actorsWanted() {
  const given = /(?:^|\0)--actors[=\0](\d+)/.exec(process.argv.slice(2).join('\0'))?.[1] ?? process.env.SPILLWAY_ACTORS;
  return Math.min(32, Math.max(1, Number(given) || availableParallelism()));
}

/** As kernel/cache-folder.ts, which is not loaded yet. */
function cacheFolder() {
  const { SPILLWAY_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return SPILLWAY_CACHE_DIR || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'spillway');
}

/** The Node that the repo brings as a devDependency. */
function bundledNode() {
  try {
    const require = module.createRequire(import.meta.url);
    const node = join(dirname(require.resolve('node/package.json')), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (existsSync(node)) return node;
  } catch {
    // Not installed: said below.
  }
  console.error(`spillway needs Node ${WANTED_MAJOR} or newer and this is ${process.version}. Install a newer Node, or in a checkout run \`npm ci\`, which brings one.`);
  return process.exit(1);
}

/** Runs the same command under another Node or with the condition, in this process where the system can. */
function handOver(node) {
  const args = [...(isCheckout ? [CONDITION] : []), fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  // Signals, the terminal and the exit code stay one process's own.
  if (typeof process.execve === 'function' && process.platform !== 'win32') process.execve(node, [node, ...args], process.env);
  const child = spawn(node, args, { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both, `kill` to this one alone. It is passed on as the other signal that
  // means the same, and the child counts each of the two for itself: one press is one either way.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(`spillway could not start ${node}: ${error.message}`);
    process.exit(1);
  });
  // As a shell reports a program that a signal ended.
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
