/**
 * Bundles the litmus page and serves it to the browser of this machine, with the two headers that make
 * a page cross-origin isolated: without them a browser gives nobody a SharedArrayBuffer.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import type { PageReport } from './page-report.ts';

/** Its disposal closes it. */
export interface PageServer extends AsyncDisposable {
  readonly url: string;
  /** What the page posts; rejects when that is no report. */
  readonly report: Promise<PageReport>;
}

const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
};

/** Whatever goes wrong before or beside the tests is the report, because nobody looks at the console of this page. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Litmus page</title>
<script>
  const fail = (failure) => fetch('report', { method: 'POST', body: JSON.stringify({ userAgent: navigator.userAgent, crossOriginIsolated, tests: [], failure }) });
  addEventListener('error', (event) => fail(event.message ?? 'A script of the page could not be loaded: ' + event.target.src), true);
  addEventListener('unhandledrejection', ({ reason }) => fail('Unhandled: ' + (reason?.stack ?? reason)));
</script>
<script type="module" src="page.js"></script>
`;

const ENTRIES = {
  page: fileURLToPath(new URL('./page.ts', import.meta.url)),
  'ring-worker': fileURLToPath(new URL('./ring-worker.ts', import.meta.url)),
};

/** The scripts by their paths. Page and worker share what both import. */
async function bundle(): Promise<Map<string, string>> {
  const { output } = await build({
    input: ENTRIES,
    platform: 'browser',
    resolve: { conditionNames: ['spillway-src', 'browser', 'import', 'default'] },
    logLevel: 'silent',
    write: false,
  });
  const scripts = output.flatMap((file) => (file.type === 'chunk' ? [file] : []));
  for (const { fileName, imports } of scripts) {
    const missing = imports.find((specifier) => !scripts.some((script) => script.fileName === specifier));
    if (missing !== undefined) throw new Error(`${fileName} imports '${missing}', which no browser has: take the file that needs it out of page-files.ts.`);
  }
  return new Map(scripts.map(({ fileName, code }) => [`/${fileName}`, code]));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export async function servePage(): Promise<PageServer> {
  const scripts = await bundle();
  const { promise: report, resolve, reject } = Promise.withResolvers<PageReport>();
  report.catch(() => {});

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const script = scripts.get(request.url ?? '');
    if (request.method === 'POST') {
      const body = await bodyOf(request);
      response.writeHead(204, ISOLATION).end();
      resolve(JSON.parse(body) as PageReport);
    } else if (request.url === '/') {
      response.writeHead(200, { ...ISOLATION, 'Content-Type': 'text/html' }).end(PAGE);
    } else if (script !== undefined) {
      response.writeHead(200, { ...ISOLATION, 'Content-Type': 'text/javascript' }).end(script);
    } else {
      response.writeHead(404, ISOLATION).end();
    }
  };

  const server = createServer((request, response) => void answer(request, response).catch(reject));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, report, [Symbol.asyncDispose]: () => close(server) };
}

async function close(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
