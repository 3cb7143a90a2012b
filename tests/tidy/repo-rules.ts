/** Rules about the repository as a whole: which files there are, their names, and what no file may tell. */
import { ROOMS, roomOf } from './import-rules.ts';

const TOP_LEVEL: ReadonlySet<string> = new Set([
  ...ROOMS,
  'bench',
  'tests',
  'docs',
  '.ci',
  '.gitignore',
  '.npmrc',
  '.oxlintrc.json',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'LICENSE',
]);

export function topLevel(path: string): string[] {
  const name = path.split('/')[0]!;
  return TOP_LEVEL.has(name) ? [] : [`${path}: the top level is the floor plan and '${name}' is not on it; move it into one of its folders.`];
}

/** Names that others gave: conventions of npm, GitHub and the compiler. */
const GIVEN_NAMES = /^(?:README\.md|LICENSE|package\.json|tsconfig\.build\.json)$/;
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*$/;
const EMPTY_NAME = /^(?:.*-)?(?:utils?|common|helpers?|misc)$/;

export function fileName(path: string): string[] {
  if (!path.includes('/') || path.startsWith('.ci/')) return [];
  return path.split('/').flatMap((part) => {
    if (GIVEN_NAMES.test(part)) return [];
    if (!KEBAB_CASE.test(part)) return [`${path}: '${part}' is not in kebab-case; rename it.`];
    if (EMPTY_NAME.test(part.split('.')[0]!)) return [`${path}: '${part}' names no job; call it after what it holds, or put its parts where they are used.`];
    return [];
  });
}

interface Trace {
  readonly pattern: RegExp;
  readonly remedy: string;
  readonly appliesTo: (path: string) => boolean;
}

/** Things that hold on one machine only. The classes in the patterns keep this file from matching itself. */
const MACHINE: readonly Trace[] = [
  {
    pattern: /registry[.](?!example[.])(?:\w+[.])+\w+|"resolved": "https?:/i,
    remedy: 'names a package registry; which one is used is the matter of each machine (`npm config`), so leave it out',
    appliesTo: () => true,
  },
  {
    pattern: /(?<![\w.~])[/](?:work|root|home[/]\w+|Users[/]\w+)[/]/,
    remedy: 'is a path of one machine; write it relative to the repo or take it from the environment',
    appliesTo: () => true,
  },
  {
    pattern: /(?<![\w.~])[/]tmp[/]/,
    remedy: 'is a fixed path in a folder that all share; use os.tmpdir() with mkdtemp',
    appliesTo: (path) => /\.(?:ts|mjs|json)$/.test(path) && roomOf(path) !== 'tests',
  },
];

export function machineTraces(path: string, text: string): string[] {
  const rules = MACHINE.filter(({ appliesTo }) => appliesTo(path));
  return text.split('\n').flatMap((line, index) =>
    rules.flatMap(({ pattern, remedy }) => {
      const found = pattern.exec(line)?.[0];
      return found === undefined ? [] : [`${path}:${index + 1}: '${found}' ${remedy}.`];
    }),
  );
}

/** `text` is the README of a room, or undefined if it has none. */
export function roomReadme(room: string, text: string | undefined): string[] {
  if (text === undefined) return [`${room}/README.md is missing: say what the room is for, with a picture and three to five lines that begin with "Invariant:".`];
  const invariants = text.match(/^(?:[-*] )?(?:\*\*)?Invariant:/gm)?.length ?? 0;
  return invariants >= 3 ? [] : [`${room}/README.md has ${invariants} lines that begin with "Invariant:": say at least three things that always hold in it, or are never in it.`];
}
