/** Other processes and threads, machine code, and the doors that Node itself has. */
import { execSync, fork, spawnSync } from 'node:child_process';
import cluster from 'node:cluster';
import fs from 'node:fs';
import inspector from 'node:inspector';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Bait } from '../bait.ts';
import { evidence, firstOf, type Probe } from '../probe.ts';

/** Parts of Node that its types leave out, because nobody should use them. */
interface Internals {
  _debugProcess(pid: number): void;
  binding(name: string): { open(path: string, flags: number, mode: number): number };
  dlopen(module: object, file: string, flags?: number): void;
}
const internals = process as unknown as Internals;
const require = createRequire(import.meta.url);

function load(file: string): string {
  const module = { exports: {} as object };
  internals.dlopen(module, file, os.constants.dlopen.RTLD_NOW);
  return `exports ${Object.keys(module.exports).length} names`;
}

async function inWorker(source: string, options: object): Promise<string> {
  const worker = new Worker(source, { eval: true, stderr: true, ...options });
  try {
    const said = (await firstOf(worker, 'message')) as { got?: string; code?: string };
    if (said.got === undefined) throw Object.assign(new Error('denied in the worker'), { code: said.code });
    return said.got;
  } finally {
    await worker.terminate();
  }
}

const say = (expression: string): string =>
  `const { parentPort } = require('node:worker_threads'); try { parentPort.postMessage({ got: String(${expression}) }); } catch (error) { parentPort.postMessage({ code: error.code ?? error.message }); }`;
const readSecret = ({ outside }: Bait): string => say(`require('node:fs').readFileSync(${JSON.stringify(`${outside}/secret.txt`)}, 'utf8')`);

/** Output of a program, or the error that it could not be started or read nothing. */
function output(command: string, args: readonly string[], options: object = {}): string {
  const ended = spawnSync(command, args, { encoding: 'utf8', timeout: 2_000, ...options });
  if (ended.error !== undefined) throw ended.error;
  return evidence(ended.stdout !== '', ended.stdout.trim(), ended.stderr.slice(0, 60));
}

export const PROGRAM_PROBES: readonly Probe[] = [
  { name: 'a shell (execSync)', expected: 'denied', run: () => execSync('echo out', { encoding: 'utf8', stdio: 'pipe' }).trim() },
  { name: 'a program (spawnSync)', expected: 'denied', run: () => output('/bin/cat', ['/etc/passwd']).slice(0, 10) },
  { name: 'a program without pipes', expected: 'denied', run: () => { const { status, error } = spawnSync(process.execPath, ['-e', '0'], { stdio: 'ignore' }); if (error !== undefined) throw error; return evidence(status === 0, 'ran'); } },
  { name: 'Node itself, without flags', expected: 'denied', run: ({ outside }) => output(process.execPath, ['-p', `require('fs').readFileSync(${JSON.stringify(`${outside}/secret.txt`)}, 'utf8')`], { env: {} }) },
  {
    name: 'fork',
    expected: 'denied',
    run: async ({ outside }) => {
      const child = fork(join(outside, 'module.cjs'), { stdio: 'ignore', execArgv: [] });
      return `exit code ${String(await firstOf(child, 'exit'))}`;
    },
  },
  {
    name: 'cluster',
    expected: 'denied',
    run: async ({ outside }) => {
      cluster.setupPrimary({ exec: join(outside, 'module.cjs'), silent: true, execArgv: [] });
      const worker = cluster.fork();
      await firstOf(worker, 'online', 'exit');
      worker.process.kill('SIGKILL');
      return 'online';
    },
  },
  {
    name: 'a program of its own in a granted folder',
    expected: 'denied',
    run: ({ writable }) => {
      fs.writeFileSync(join(writable, 'program'), '#!/bin/sh\necho out\n', { mode: 0o755 });
      return output(join(writable, 'program'), []);
    },
  },
  { name: 'a worker without flags', expected: 'denied', run: (bait) => inWorker(readSecret(bait), { execArgv: [] }) },
  { name: 'a worker without environment', expected: 'denied', run: (bait) => inWorker(readSecret(bait), { env: {} }) },
  { name: 'a program from a worker without flags', expected: 'denied', run: () => inWorker(say(`require('node:child_process').execSync('echo out', { stdio: 'pipe' })`), { execArgv: [], env: {} }) },
  { name: 'signal the process that started it', expected: 'denied', run: ({ suitePid }) => process.kill(suitePid, 0) },
  { name: "signal a process of the host", expected: 'denied', run: ({ victimPid }) => process.kill(victimPid, 'SIGCONT') },
  {
    name: 'signal its own parent',
    expected: { accepted: 'Inside, the parent is the sandbox\'s own init, which takes the signals that would come from outside and passes them on.' },
    run: () => process.kill(process.ppid, 0),
  },
  { name: 'start the inspector of another process', expected: 'denied', run: ({ victimPid }) => internals._debugProcess(victimPid) },
  { name: 'change the priority of another process', expected: 'denied', run: ({ victimPid }) => os.setPriority(victimPid, 1) },
  { name: 'raise its own priority', expected: 'denied', rootOnly: true, run: () => os.setPriority(-1) },
  { name: 'listen as an inspector', expected: 'denied', run: () => { inspector.open(0, '127.0.0.1'); const url = inspector.url(); inspector.close(); return evidence(url !== undefined, 'listens'); } },
  { name: 'become another user', expected: 'denied', rootOnly: true, run: () => { process.seteuid!(1); process.seteuid!(0); return 'was user 1'; } },
  { name: 'become root', expected: 'denied', rootOnly: true, run: () => { process.setuid!(0); return 'root'; } },
  { name: 'join another group', expected: 'denied', rootOnly: true, run: () => process.setgroups!([0, 4]) },

  { name: 'require a module outside', expected: 'denied', run: ({ outside }) => require(join(outside, 'module.cjs')) as string },
  { name: 'import a module outside', expected: 'denied', run: async ({ outside }) => ((await import(join(outside, 'module.mjs'))) as { secret: string }).secret },
  { name: 'read by an internal binding of Node', expected: 'denied', run: ({ outside }) => { const fd = internals.binding('fs').open(join(outside, 'secret.txt'), 0, 0o600); fs.closeSync(fd); return 'opened'; } },
  { name: 'load settings from a file outside', expected: 'denied', run: ({ outside, secret }) => { process.loadEnvFile(join(outside, 'secrets.env')); return evidence(process.env['BAIT_FROM_FILE'] === secret, secret); } },
  { name: 'write a diagnostic report outside', expected: 'denied', run: ({ outside }) => { process.report.directory = outside; const name = process.report.writeReport('escape.json'); return evidence(fs.existsSync(join(outside, name)), 'report'); } },
  { name: 'work in a folder outside (chdir)', expected: 'denied', run: ({ outside }) => { process.chdir(outside); process.chdir('/'); return 'was there'; } },
  {
    name: 'a folder outside for WASI',
    expected: 'denied',
    run: async ({ outside }) => {
      const { WASI } = await import('node:wasi');
      return typeof new WASI({ version: 'preview1', preopens: { '/': outside } });
    },
  },
  {
    name: 'open a database outside (node:sqlite)',
    expected: 'denied',
    run: async ({ outside }) => {
      const { DatabaseSync } = await import('node:sqlite');
      return new DatabaseSync(join(outside, 'secret.db'), { readOnly: true }).prepare('SELECT value FROM secrets').get();
    },
  },
  {
    name: 'ATTACH a database outside (node:sqlite)',
    expected: 'denied',
    run: async ({ outside }) => {
      const database = new (await import('node:sqlite')).DatabaseSync(':memory:');
      database.exec(`ATTACH 'file:${outside}/secret.db?mode=ro' AS other`);
      return database.prepare('SELECT value FROM other.secrets').get();
    },
  },
  {
    name: 'VACUUM INTO a file outside (node:sqlite)',
    expected: 'denied',
    run: async ({ outside }) => {
      const database = new (await import('node:sqlite')).DatabaseSync(':memory:');
      database.exec(`CREATE TABLE t (a); VACUUM INTO '${outside}/vacuumed.db'`);
      return 'written';
    },
  },
  {
    name: 'load machine code as an extension of sqlite',
    expected: 'denied',
    run: async ({ readable }) => {
      const database = new (await import('node:sqlite')).DatabaseSync(':memory:', { allowExtension: true });
      try {
        database.loadExtension(join(readable, 'addon.node'));
      } catch (error) {
        // It was loaded, and turned out to be no extension.
        if (!/undefined symbol/.test(String(error))) throw error;
      }
      return 'loaded';
    },
  },

  // Last, because an add-on that was loaded four times over is no sound ground for what follows.
  { name: 'load machine code from outside', expected: 'denied', run: ({ outside }) => load(join(outside, 'addon.node')) },
  { name: 'load machine code from a folder granted for reading', expected: 'denied', run: ({ readable }) => load(join(readable, 'addon.node')) },
  { name: 'load machine code that it has written', expected: 'denied', run: ({ readable, writable }) => { fs.copyFileSync(join(readable, 'addon.node'), join(writable, 'own.node')); return load(join(writable, 'own.node')); } },
  { name: 'load machine code that it has written to /tmp', expected: 'denied', run: ({ readable }) => { fs.copyFileSync(join(readable, 'addon.node'), '/tmp/spillway-escapes.node'); try { return load('/tmp/spillway-escapes.node'); } finally { fs.unlinkSync('/tmp/spillway-escapes.node'); } } },
  { name: 'load an add-on of node_modules that was not granted', expected: 'denied', run: ({ packageRoot }) => load(join(packageRoot, `node_modules/better-sqlite3-multiple-ciphers/prebuilds/linux-${process.arch}.node`)) },
];
