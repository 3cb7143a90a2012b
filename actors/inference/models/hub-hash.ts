/**
 * What the hub says the SHA-256 of a file is, so that a download can be held against it.
 *
 * The hub answers for a large file with a redirect to its storage, and on that answer `x-linked-etag` is the file's
 * SHA-256 (small files that lie in git itself have a hash of another kind there, which is of no use here). A
 * URI with a quantization instead of a file is first turned into a file by the manifest that llama.cpp asks for, too.
 */
const TIMEOUT_MS = 10_000;
const SHA256 = /^[0-9a-f]{64}$/;
const BRANCH_DEFAULT = 'main';

/** A file of a repository on the hub. */
interface HubFile {
  readonly repository: string;
  readonly branch: string;
  readonly path: string;
}

/**
 * @param uri of a form that `resolveModel` takes
 * @returns undefined where the hub does not say, for instance because the file lies behind a login
 */
export async function publishedHash(uri: string, endpoint: string, signal?: AbortSignal): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    const file = fileOf(uri) ?? (await fileOfManifest(uri, endpoint, either));
    if (file === undefined) return undefined;
    const url = new URL(`${file.repository}/resolve/${encodeURIComponent(file.branch)}/${escaped(file.path)}`, endpoint);
    const { headers } = await fetch(url, { method: 'HEAD', redirect: 'manual', signal: either });
    const etag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^W\//, '').replaceAll('"', '').toLowerCase();
    return SHA256.test(etag) ? etag : undefined;
  } catch (error) {
    signal?.throwIfAborted();
    // A hub that answers the download and not this leaves the file unverified; a network that fails, fails the download, too.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Of `hf:user/repo/path/file.gguf#branch`. */
function fileOf(uri: string): HubFile | undefined {
  const [, repository, path, branch = BRANCH_DEFAULT] = /^hf:([^/]+\/[^/]+)\/([^#]+)(?:#(.+))?$/.exec(uri) ?? [];
  return repository === undefined || path === undefined ? undefined : { repository, branch, path };
}

/** Of `hf:user/repo` and `hf:user/repo:quant`. */
async function fileOfManifest(uri: string, endpoint: string, signal: AbortSignal): Promise<HubFile | undefined> {
  const [, repository, tag = 'latest'] = /^hf:([^/]+\/[^/:]+)(?::(.+))?$/.exec(uri) ?? [];
  if (repository === undefined) return undefined;
  // The hub names the file to llama.cpp only.
  const response = await fetch(new URL(`v2/${repository}/manifests/${encodeURIComponent(tag)}`, endpoint), { headers: { 'user-agent': 'llama-cpp' }, signal });
  if (!response.ok) return undefined;
  const { ggufFile } = (await response.json()) as { ggufFile?: { rfilename?: unknown } };
  return typeof ggufFile?.rfilename === 'string' ? { repository, branch: BRANCH_DEFAULT, path: ggufFile.rfilename } : undefined;
}

function escaped(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
