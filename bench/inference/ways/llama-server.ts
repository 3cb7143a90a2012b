/**
 * llama.cpp's server over HTTP on this machine: 8 slots on all cores, 16 texts in a request, over 16 connections
 * or one. Vectors come as base64, which is the shorter of the two forms it can send.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isServerBuilt, serverProgram } from '../server-program.ts';
import type { Entrant } from '../task.ts';
import type { EmbeddingWay, Variants } from '../way.ts';

const SLOTS = 8;
const CONTEXT_TOKENS = 512;
const CONNECTIONS = 16;
const TEXTS_PER_REQUEST = 16;
const START_MS = 60_000;
const POLL_MS = 50;

interface EmbeddingsReply {
  readonly data: readonly { readonly index: number; readonly embedding: string }[];
}

export async function llamaServer({ model: { path }, cores }: Entrant): Promise<Variants> {
  if (!isServerBuilt()) throw new Error('not built; run `npm run bench -- inference --rows server`');
  const port = await freePort();
  const words = [
    '--model', path, '--embedding', '--pooling', 'mean', '--parallel', SLOTS, '--ctx-size', SLOTS * CONTEXT_TOKENS,
    '--threads', cores, '--threads-batch', cores, '--host', '127.0.0.1', '--port', port, '--log-disable',
  ];
  const server = spawn(serverProgram(), words.map(String), { stdio: ['ignore', 'ignore', 'inherit'] });
  // It does not outlive this process, however that ends in order.
  process.once('exit', () => server.kill('SIGKILL'));
  await healthy(server, port);
  // Somebody who waits does not share the connections of the load.
  const own = new Agent({ keepAlive: true });
  const variants = new Map<string, EmbeddingWay>();
  for (const connections of [CONNECTIONS, 1]) {
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    variants.set(`${connections} connection${connections === 1 ? '' : 's'}`, {
      embed: (texts) => overHttp(agent, port, connections, texts),
      embedUrgent: (text) => overHttp(own, port, 1, [text]),
      async close() {
        agent.destroy();
        own.destroy();
        if (server.exitCode !== null || server.signalCode !== null) return;
        const ended = once(server, 'exit');
        server.kill('SIGKILL');
        await ended;
      },
    });
  }
  return variants;
}

async function overHttp(agent: Agent, port: number, connections: number, texts: readonly string[]): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (next < texts.length) {
      const start = next;
      next += TEXTS_PER_REQUEST;
      const input = texts.slice(start, start + TEXTS_PER_REQUEST);
      const { data } = JSON.parse(await ask(agent, port, '/v1/embeddings', JSON.stringify({ input, encoding_format: 'base64' }))) as EmbeddingsReply;
      for (const { index, embedding } of data) {
        const bytes = Buffer.from(embedding, 'base64');
        rows[start + index] = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
      }
    }
  }));
  return rows;
}

async function healthy(server: ChildProcess, port: number): Promise<void> {
  const agent = new Agent();
  const untilMs = performance.now() + START_MS;
  while (performance.now() < untilMs && server.exitCode === null) {
    const isUp = await ask(agent, port, '/health').then(() => true, () => false);
    if (isUp) return;
    await sleep(POLL_MS);
  }
  server.kill('SIGKILL');
  throw new Error('llama-server did not start');
}

function ask(agent: Agent, port: number, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ agent, port, path, host: '127.0.0.1', method: body === undefined ? 'GET' : 'POST', headers }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.on('end', () => (reply.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${reply.statusCode} ${text.slice(0, 200)}`))));
    });
    // The server may have closed a connection that waited for the next turn.
    sent.on('error', (error) => (sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET' ? resolve(ask(agent, port, path, body)) : reject(error)));
    sent.end(body);
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
