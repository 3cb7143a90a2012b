/**
 * Makes a server listen where only this machine reaches it: on a port of the loopback interface or on a
 * Unix socket. What keeps it from doing so becomes a code.
 */
import { lstat, rm } from 'node:fs/promises';
import { BlockList, connect, isIP, isIPv6, type Server } from 'node:net';
import { SpillwayError } from '../errors.ts';

export type HealthAddress = { readonly port: number; readonly host?: string } | { readonly socketPath: string };

const DEFAULT_HOST = '127.0.0.1';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** @param ip an address, not a name */
export function isLoopback(ip: string): boolean {
  return loopback.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
}

/**
 * @returns where it listens, with the port that was taken
 * @throws {SpillwayError} `health_not_local`, `health_address_in_use` or `health_listen_failed`
 */
export async function listenLocally(server: Server, address: HealthAddress): Promise<HealthAddress> {
  if ('socketPath' in address) {
    await listenOnSocket(server, address.socketPath);
    return address;
  }
  const host = localHost(address.host ?? DEFAULT_HOST);
  await listen(server, { host, port: address.port }, `${host} port ${address.port}`);
  const taken = server.address();
  return { host, port: typeof taken === 'object' && taken !== null ? taken.port : address.port };
}

/** A name is not looked up: what it leads to may change. */
function localHost(host: string): string {
  if (host === 'localhost') return DEFAULT_HOST;
  if (isIP(host) !== 0 && isLoopback(host)) return host;
  throw new SpillwayError(
    'health_not_local',
    `The health server listens on the loopback interface only: expected localhost, 127.x.x.x or ::1, got '${host}'. To be reached from other machines, put a proxy in front that knows who may ask.`,
    { details: { host } },
  );
}

async function listenOnSocket(server: Server, socketPath: string): Promise<void> {
  try {
    await listen(server, { path: socketPath }, socketPath);
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code !== 'health_address_in_use' || !(await isAbandoned(socketPath))) throw error;
    await rm(socketPath, { force: true });
    await listen(server, { path: socketPath }, socketPath);
  }
}

/** Whether a socket was left behind by a process that was killed. Another kind of file is not ours to take away. */
async function isAbandoned(socketPath: string): Promise<boolean> {
  const found = await lstat(socketPath).catch(() => undefined);
  if (found?.isSocket() === false) return false;
  return new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

function listen(server: Server, where: { host: string; port: number } | { path: string }, shown: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(
        error.code === 'EADDRINUSE'
          ? new SpillwayError('health_address_in_use', `Somebody else listens on ${shown}; choose another address for the health server.`, { cause: error })
          : new SpillwayError('health_listen_failed', `The health server cannot listen on ${shown}: ${error.message}.`, {
              cause: error,
              details: { reason: error.code },
            }),
      );
    };
    server.once('error', onError);
    try {
      server.listen(where, () => {
        server.off('error', onError);
        resolve();
      });
    } catch (error) {
      // A port that is none is refused at once.
      server.off('error', onError);
      onError(error as NodeJS.ErrnoException);
    }
  });
}
