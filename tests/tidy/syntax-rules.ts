/** What does not stand in a source file, and what each one has to have. */
import { posix } from 'node:path';
import { roomOf } from './import-rules.ts';
import type { Node, SourceFile } from './source-file.ts';

export const LINES_MAX = 400;

/** Files that are longer, each with the reason why splitting would make it worse. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  'tests/rings/ring.cases.ts': 'One conformance suite over every kind of ring, a list of cases.',
  'tests/storage/vector-index.cases.ts': 'One conformance suite over every implementation of the contract, a list of cases.',
};

/** Files whose reader demands a default export. */
export const DEFAULT_EXPORTS: Readonly<Record<string, string>> = {
  'bench/rings/thread-stream-target.ts': 'thread-stream starts the default export of the module it is given.',
  'tests/vitest.config.ts': 'vitest reads the default export.',
};

const REMEDIES: Readonly<Record<string, string>> = {
  TSEnumDeclaration: 'enums do not erase; write `const NAMES = [...] as const` or a union of literals',
  TSModuleDeclaration: 'namespaces do not erase; a file is a module already',
  ExportDefaultDeclaration: 'a default export has no name to search for; export it by its name',
  TSExportAssignment: 'this is the CommonJS way; export it by its name',
  TSAnyKeyword: '`any` switches the compiler off for all that it touches; write `unknown` and narrow it',
};

export function forbiddenSyntax(file: SourceFile): string[] {
  return file.nodes
    .filter((node) => node.type in REMEDIES && !isPermitted(file.path, node))
    .map((node) => `${file.path}:${file.lineOf(node)}: ${REMEDIES[node.type]}.`);
}

function isPermitted(path: string, node: Node): boolean {
  if (node.type === 'ExportDefaultDeclaration') return path in DEFAULT_EXPORTS;
  // A declaration file has no other way to say what somebody else's module exports.
  if (path.endsWith('.d.ts')) return node.type === 'TSExportAssignment' || (node.type === 'TSModuleDeclaration' && node['kind'] !== 'namespace');
  return false;
}

/** Brackets in the words keep this file from breaking its own rule. */
const MARKS = /\b(?:TO[D]O|FI[X]ME|XX[X]|HAC[K])\b|@ts-(?:igno[r]e|nochec[k])/;

export function unfinishedMarks(file: SourceFile): string[] {
  return file.text.split('\n').flatMap((line, index) => {
    const mark = MARKS.exec(line)?.[0];
    return mark === undefined ? [] : [`${file.path}:${index + 1}: ${mark} leaves work to the reader; do it, or open an issue and say here what holds today.`];
  });
}

/** Doors are lists of names and a test's sentences say what it is for, so neither has a header. */
export function headerComment(file: SourceFile): string[] {
  if (posix.basename(file.path) === 'index.ts' || file.path.endsWith('.test.ts')) return [];
  const text = file.text.replace(/^#!.*\n/, '');
  const comment = /^(?:\/\*[^]*?\*\/|(?:\/\/.*\n)+)/.exec(text)?.[0] ?? '';
  const words = comment.match(/[A-Za-z]{2,}/g) ?? [];
  if (words.length >= 4) return [];
  return [`${file.path}:1: begin the file with a comment that says what it is for and why it is as it is.`];
}

export function fileLength(file: SourceFile): string[] {
  const lines = file.text.trimEnd().split('\n').length;
  const listed = file.path in LONG_FILES;
  if (lines > LINES_MAX && !listed) {
    return [`${file.path} has ${lines} lines: past ${LINES_MAX} look for the second job in it and give that a file, or list it in LONG_FILES with the reason.`];
  }
  if (lines <= LINES_MAX && listed) return [`${file.path} has ${lines} lines and needs no exception: take it out of LONG_FILES.`];
  return [];
}

/** Ordering shared memory is the job of one room; all others see words and counters that it lends. */
export function atomicsInRings(file: SourceFile): string[] {
  if (['rings', 'tests', 'bench'].includes(roomOf(file.path))) return [];
  return file.nodes
    .filter((node) => node.type === 'Identifier' && node['name'] === 'Atomics')
    .map((node) => `${file.path}:${file.lineOf(node)}: Atomics belongs to rings; use SharedWords or SharedCounters of 'atomics-ring-buffer', or add what is missing there.`);
}
