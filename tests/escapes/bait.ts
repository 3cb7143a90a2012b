/**
 * What is laid out for the probes: secrets, files to spoil, a folder that is granted with links in it that
 * lead out, listeners on every kind of socket, and a process to attack. Each run has its own, because a probe
 * that succeeds outside leaves damage.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, openSync, closeSync, realpathSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Plain data: it goes to the child as JSON. */
export interface Bait {
  readonly secret: string;
  /** Holds `readable`, `writable` and `outside`; is not granted itself. */
  readonly root: string;
  readonly readable: string;
  readonly writable: string;
  readonly outside: string;
  readonly packageRoot: string;
  readonly hostname: string;
  readonly suitePid: number;
  readonly victimPid: number;
  readonly tcp4: number;
  readonly tcp6: number | undefined;
  readonly udp: number;
  readonly dns: number;
  readonly http: number;
  readonly socketPath: string;
  readonly grantedSocketPath: string;
  readonly abstractName: string;
  readonly sharedMemory: string | undefined;
  /** Descriptors that were left open for the child and not granted: a secret file and a folder. */
  readonly leakedFile: number;
  readonly leakedFolder: number;
  /** Passed on as granted: a file that is open for reading. */
  readonly passedFile: number;
}

export interface LaidBait extends Bait {
  /** For `stdio` of the child, from number 3 on: the leaks are at the numbers that the bait names. */
  readonly leaks: readonly Leak[];
  remove(): Promise<void>;
}

/** Numbers that Node does not come to by itself: inside, one of its own pipes would be there instead. */
const LEAKED_FILE = 70;
const LEAKED_FOLDER = 71;
const PASSED_FILE = 72;

/** An entry of `stdio` at a number above 2: 'ignore' opens nothing there. */
export type Leak = 'ignore' | number;

/** A native add-on that comes with a dependency; which one is of no matter. */
const ADDON = `node_modules/better-sqlite3-multiple-ciphers/prebuilds/linux-${process.arch}.node`;

export async function layBait(packageRoot: string): Promise<LaidBait> {
  const secret = `secret-${process.pid}-${Math.floor(performance.now() * 1000)}`;
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'spillway-escapes-'));
  const folder = (name: string): string => {
    const path = join(root, name);
    mkdirSync(path);
    return path;
  };
  const [outside, readable, writable] = [folder('outside'), folder('readable'), folder('writable')];
  const put = (path: string, text: string): void => writeFileSync(path, text);
  for (const name of ['secret.txt', 'to-spoil.txt', 'to-delete.txt', 'to-move.txt', 'linked.txt', 'passed.txt']) put(join(outside, name), secret);
  put(join(outside, 'module.cjs'), `module.exports = '${secret}';`);
  put(join(outside, 'module.mjs'), `export const secret = '${secret}';`);
  put(join(outside, 'preload.cjs'), `globalThis.preloaded = '${secret}';`);
  put(join(outside, 'secrets.env'), `BAIT_FROM_FILE=${secret}\n`);
  put(join(readable, 'inside.txt'), 'inside');
  put(join(writable, 'inside.txt'), 'inside');
  symlinkSync('../outside/secret.txt', join(readable, 'link-out'));
  symlinkSync('../outside', join(readable, 'folder-out'));
  linkSync(join(outside, 'linked.txt'), join(readable, 'hard-link'));
  for (const folderOf of [outside, readable]) copyFileSync(join(packageRoot, ADDON), join(folderOf, 'addon.node'));
  const database = new DatabaseSync(join(outside, 'secret.db'));
  database.exec(`CREATE TABLE secrets (value TEXT); INSERT INTO secrets VALUES ('${secret}')`);
  database.close();
  const sharedMemory = existsSync('/dev/shm') ? `/dev/shm/${secret}` : undefined;
  if (sharedMemory !== undefined) put(sharedMemory, secret);

  const servers: Server[] = [];
  const listen = async (where: object): Promise<Server> => {
    const server = createServer((socket) => socket.on('error', () => undefined).end(secret));
    server.listen(where);
    await once(server, 'listening');
    servers.push(server);
    return server;
  };
  const portOf = (server: { address(): unknown }): number => (server.address() as { port: number }).port;
  const socketPath = join(outside, 'host.sock');
  const grantedSocketPath = join(readable, 'host.sock');
  const abstractName = `\0${secret}`;
  const tcp4 = portOf(await listen({ port: 0, host: '127.0.0.1' }));
  const tcp6 = await listen({ port: 0, host: '::1' }).then(portOf, () => undefined);
  for (const path of [socketPath, grantedSocketPath, abstractName]) await listen({ path });
  const http = createHttpServer((_, response) => response.end(secret));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const udp = await answering((question, answer) => answer(Buffer.from(`${secret} ${question.length}`)));
  const dns = await answering((question, answer) => answer(dnsAnswer(question)));
  const victim = await startVictim(secret);
  const file = openSync(join(outside, 'secret.txt'), 'r');
  const directory = openSync(outside, 'r');
  const passed = openSync(join(outside, 'passed.txt'), 'r');
  const leaks: Leak[] = [...Array.from({ length: LEAKED_FILE - 3 }, () => 'ignore' as const), file, directory, passed];

  return {
    secret, root, readable, writable, outside, packageRoot, tcp4, tcp6, socketPath, grantedSocketPath, abstractName, sharedMemory, leaks,
    hostname: hostname(),
    suitePid: process.pid,
    victimPid: victim.pid!,
    udp: portOf(udp),
    dns: portOf(dns),
    http: portOf(http),
    leakedFile: LEAKED_FILE,
    leakedFolder: LEAKED_FOLDER,
    passedFile: PASSED_FILE,
    async remove(): Promise<void> {
      for (const server of [...servers, http]) server.close();
      http.closeAllConnections();
      udp.close();
      dns.close();
      for (const fd of [file, directory, passed]) closeSync(fd);
      victim.kill('SIGKILL');
      if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
      rmSync(root, { recursive: true, force: true });
      if (sharedMemory !== undefined) unlinkSync(sharedMemory);
    },
  };
}

async function answering(reply: (question: Buffer, answer: (bytes: Buffer) => void) => void): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => reply(question, (bytes) => socket.send(bytes, from.port, from.address)));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** The question with one address appended: 127.0.0.53. */
function dnsAnswer(question: Buffer): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const answer = Buffer.from('c00c000100010000000000047f000035', 'hex');
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 6);
  header.writeUInt16BE(0, 10);
  return Buffer.concat([header, question.subarray(12, end), answer]);
}

/** Its environment holds the secret, and its inspector would come up on a port of its own. */
async function startVictim(secret: string): Promise<ChildProcess> {
  const source = 'setInterval(() => undefined, 1e6); console.log("up");';
  const victim = spawn(process.execPath, ['--inspect-port=0', '-e', source], { env: { BAIT_OF_VICTIM: secret }, stdio: ['ignore', 'pipe', 'ignore'] });
  await once(victim.stdout, 'data');
  return victim;
}
