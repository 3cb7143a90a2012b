/**
 * A source file as the tidy rules see it: its text, and its syntax tree by the parser that vitest
 * itself brings. A tree and not a pattern, so that a word in a comment or a string breaks no rule.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

export const REPO = fileURLToPath(new URL('../..', import.meta.url));

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

/** A module that a file imports or exports from, also by `import()` and in a type. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

export interface SourceFile {
  /** Relative to the repo, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The top-level statements. */
  readonly body: readonly Node[];
  /** Every node of the tree, parents first. */
  readonly nodes: readonly Node[];
  readonly imports: readonly Import[];
  lineOf(node: Node): number;
}

/** Every file that is tracked or would be: what git ignores is nobody's style. */
export function repoPaths(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: REPO, encoding: 'utf8' });
  return listed
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(REPO, path)) && statSync(join(REPO, path)).isFile())
    .toSorted();
}

export function isSource(path: string): boolean {
  return /\.(ts|mjs)$/.test(path);
}

export function readText(path: string): string {
  return readFileSync(join(REPO, path), 'utf8');
}

/** @throws SyntaxError naming the place */
export function parseSource(path: string, text: string): SourceFile {
  const lang = path.endsWith('.d.ts') ? 'dts' : path.endsWith('.ts') ? 'ts' : 'js';
  const { body } = parseAst(text, { lang }) as unknown as { body: Node[] };
  const nodes = body.flatMap((statement) => [...descend(statement)]);
  const lineOf = ({ start }: Node): number => text.slice(0, start).split('\n').length;
  const imports = nodes.flatMap((node) => {
    const isImport = /^(Import(Declaration|Expression)|Export(All|Named)Declaration|TSImportType)$/.test(node.type);
    const source = isImport ? (node['source'] as (Node & { value?: unknown }) | null | undefined) : undefined;
    return typeof source?.value === 'string' ? [{ specifier: source.value, line: lineOf(source) }] : [];
  });
  return { path, text, body, nodes, imports, lineOf };
}

function* descend(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* descend(child);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string' && typeof (value as Node).start === 'number';
}
