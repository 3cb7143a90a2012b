/** Comlink's adapter for the ports of Node, which is a CommonJS module whose types say otherwise. */
import adapter from 'comlink/dist/umd/node-adapter.js';
import type { Endpoint } from 'comlink';

export const nodeEndpoint = adapter as unknown as (port: object) => Endpoint;
