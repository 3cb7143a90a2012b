/** Sockets of every kind, names, and the clients that Node has on top of them. */
import { createSocket } from 'node:dgram';
import dns from 'node:dns/promises';
import { get } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import type { Bait } from '../bait.ts';
import { firstOf, type Probe } from '../probe.ts';

async function connect(to: net.NetConnectOpts): Promise<string> {
  const socket = net.connect(to);
  try {
    return String(await firstOf(socket, 'data'));
  } finally {
    socket.destroy();
  }
}

async function listen(at: net.ListenOptions): Promise<string> {
  const server = net.createServer();
  // Node 26 throws what the permission model says of listening where nobody can catch it.
  const onUncaught = (error: Error): boolean => server.emit('error', error);
  process.once('uncaughtException', onUncaught);
  try {
    server.listen(at);
    await firstOf(server, 'listening');
    return 'listens';
  } finally {
    process.off('uncaughtException', onUncaught);
    server.close();
  }
}

async function datagram({ udp }: Bait, host: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    const answer = firstOf(socket, 'message');
    socket.send('hello', udp, host, (error) => error !== null && socket.emit('error', error));
    return String(await answer);
  } finally {
    socket.close();
  }
}

export const NETWORK_PROBES: readonly Probe[] = [
  { name: "TCP over IPv4 to the host's loopback", expected: 'denied', run: ({ tcp4 }) => connect({ port: tcp4, host: '127.0.0.1' }) },
  { name: "TCP over IPv6 to the host's loopback", expected: 'denied', impossible: ({ tcp6 }) => (tcp6 === undefined ? 'the host has no IPv6' : undefined), run: ({ tcp6 }) => connect({ port: tcp6!, host: '::1' }) },
  { name: 'TCP by an IPv4 address in IPv6', expected: 'denied', run: ({ tcp4 }) => connect({ port: tcp4, host: '::ffff:127.0.0.1' }) },
  { name: 'TCP by name', expected: 'denied', run: ({ tcp4 }) => connect({ port: tcp4, host: 'localhost', family: 4 }) },
  { name: 'UDP', expected: 'denied', run: (bait) => datagram(bait, '127.0.0.1') },
  { name: 'a Unix socket by its path', expected: 'denied', run: ({ socketPath }) => connect({ path: socketPath }) },
  { name: 'a Unix socket in a granted folder', expected: 'denied', run: ({ grantedSocketPath }) => connect({ path: grantedSocketPath }) },
  { name: 'a Unix socket by its abstract name', expected: 'denied', run: ({ abstractName }) => connect({ path: abstractName }) },
  { name: 'look a name up (the C library)', expected: 'denied', run: async () => (await dns.lookup('localhost')).address },
  {
    name: 'resolve a name (DNS)',
    expected: 'denied',
    run: async ({ dns: port }) => {
      const resolver = new dns.Resolver({ timeout: 500, tries: 1 });
      resolver.setServers([`127.0.0.1:${port}`]);
      return (await resolver.resolve4('spillway.invalid'))[0];
    },
  },
  {
    name: 'HTTP',
    expected: 'denied',
    run: async ({ http }) => {
      const response = (await firstOf(get({ port: http, host: '127.0.0.1', agent: false }), 'response')) as NodeJS.ReadableStream;
      return String(await firstOf(response, 'data'));
    },
  },
  { name: 'fetch', expected: 'denied', run: async ({ http }) => (await fetch(`http://127.0.0.1:${http}/`)).text() },
  { name: 'listen on TCP', expected: 'denied', run: () => listen({ port: 0, host: '127.0.0.1' }) },
  { name: 'listen on a Unix socket in a granted folder', expected: 'denied', run: ({ writable }) => listen({ path: join(writable, 'own.sock') }) },
  { name: 'listen on an abstract name', expected: 'denied', run: ({ secret }) => listen({ path: `\0own-${secret}` }) },
];
