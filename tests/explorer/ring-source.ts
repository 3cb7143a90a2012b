/**
 * Loads the shipped sources of `rings/` so that they run on the explorer's façade.
 *
 * Node strips and compiles the very files that are shipped. Two things are added to their text and
 * nothing is changed: in front of it, what gives the global names of shared memory another meaning; in
 * each class, a method that lists its private fields, for checkpoints. Line numbers stay. A seeded bug
 * is a change of the text on its way. Each loading is a set of modules of its own.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseAst } from 'vitest/node';
import { FACADE } from './facade.ts';

export type Rings = typeof import('atomics-ring-buffer');
export type Layout = typeof import('../../rings/layout.ts');

export interface RingSource {
  readonly rings: Rings;
  readonly layout: Layout;
}

/** A change of one shipped file. */
export interface Patch {
  /** Name of the file in `rings/`. */
  readonly file: string;
  /** Must stand in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const SHIPPED = new URL('../../rings/', import.meta.url);
const MARK = 'explorer';
const url = (file: string): string => new URL(file, import.meta.url).href;
const PRELUDE =
  `import { FACADE as explorerFacade } from '${url('./facade.ts')}'; const { ${Object.keys(FACADE).join(', ')} } = explorerFacade; ` +
  `import { PRIVATE_FIELDS as explorerFields } from '${url('./local-state.ts')}'; `;

const loadings = new Map<string, readonly Patch[]>();
let isHooked = false;

/**
 * @param folder where the sources are; default: the shipped ones
 * @throws Error when a patch does not fit exactly once
 */
export async function loadRings(patches: readonly Patch[] = [], folder: URL = SHIPPED): Promise<RingSource> {
  hook();
  for (const patch of patches) apply(readFileSync(new URL(patch.file, folder), 'utf8'), patch);
  const loading = String(loadings.size + 1);
  loadings.set(loading, patches);
  const load = async (file: string): Promise<unknown> => import(`${new URL(file, folder).href}?${MARK}=${loading}`);
  return { rings: (await load('index.ts')) as Rings, layout: (await load('layout.ts')) as Layout };
}

function apply(text: string, { file, from, to }: Patch): string {
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`A patch of ${file} must fit once, but this stands there ${count} times:\n${from}`);
  return text.replace(from, () => to);
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

/** Adds to each class the method that `local-state.ts` asks for its private fields. */
function withFieldLists(source: string): string {
  const insertions: { at: number; text: string }[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const part of value) walk(part);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const node = value as Node;
    if (node.type === 'ClassBody') {
      const keys = (node['body'] as Node[]).filter(({ type }) => type === 'PropertyDefinition').map(({ key }) => key as Node);
      const fields = keys.filter(({ type }) => type === 'PrivateIdentifier').map(({ name }) => `this.#${String(name)}`);
      insertions.push({ at: node.start + 1, text: ` [explorerFields]() { return [super[explorerFields]?.(), ${fields.join(', ')}]; }` });
    }
    for (const part of Object.values(node)) walk(part);
  };
  walk(parseAst(source, { lang: 'ts' }).body);
  return insertions
    .toSorted((one, other) => other.at - one.at)
    .reduce((text, { at, text: added }) => text.slice(0, at) + added + text.slice(at), source);
}

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const loading = loadingOf(context.parentURL);
      // What a ring imports belongs to the same loading; the façade is there once for all.
      if (loading === undefined || !specifier.startsWith('.')) return resolved;
      return { ...resolved, url: `${resolved.url}?${MARK}=${loading}` };
    },
    load(url, context, nextLoad) {
      const loading = loadingOf(url);
      if (loading === undefined) return nextLoad(url, context);
      const path = fileURLToPath(url);
      const patches = loadings.get(loading)!.filter(({ file }) => path.endsWith(`/${file}`));
      const source = patches.reduce(apply, readFileSync(path, 'utf8'));
      return { format: 'module-typescript', source: PRELUDE + withFieldLists(source), shortCircuit: true };
    },
  });
}

function loadingOf(url: string | undefined): string | undefined {
  return url?.startsWith(pathToFileURL('/').href) ? (new URL(url).searchParams.get(MARK) ?? undefined) : undefined;
}
