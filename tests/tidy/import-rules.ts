/**
 * Which file may import which. The folders are the architecture, so the direction of imports is what
 * keeps it: `rings <- kernel <- supervisors <- actors`, each entered by its `index.ts` alone.
 */
import { posix } from 'node:path';
import type { SourceFile } from './source-file.ts';

/** Each room may import itself and those before it. */
export const ROOMS = ['rings', 'kernel', 'supervisors', 'actors'];
const RINGS_PACKAGE = 'atomics-ring-buffer';

interface Target {
  /** Where the imported file lies in the repo; for the rings package, its door. */
  readonly path: string;
  readonly room: string;
  readonly specifier: string;
  readonly place: string;
}

/** Imports that stay in the repo; libraries are the linter's and knip's matter. */
function targets(file: SourceFile): Target[] {
  return file.imports.flatMap(({ specifier, line }) => {
    const place = `${file.path}:${line}`;
    if (specifier === RINGS_PACKAGE) return [{ path: 'rings/index.ts', room: 'rings', specifier, place }];
    if (!specifier.startsWith('.')) return [];
    const path = posix.join(posix.dirname(file.path), specifier);
    return [{ path, room: roomOf(path), specifier, place }];
  });
}

export function roomOf(path: string): string {
  return path.slice(0, Math.max(0, path.indexOf('/')));
}

/** Imports go down only, and nothing imports a test or a bench; but tests may use the models that the bench makes. */
export function importDirection(file: SourceFile): string[] {
  const room = roomOf(file.path);
  const rank = ROOMS.indexOf(room);
  return targets(file).flatMap((target) => {
    if (target.room === room) return [];
    // Models that are made on the spot serve both, and the bench is where they are compared.
    if (room === 'tests' && target.path.startsWith('bench/models/')) return [];
    if (target.room === 'tests' || target.room === 'bench') {
      return [`${target.place} imports ${target.path}: nothing imports tests or bench; move what is needed into the room it belongs to.`];
    }
    if (rank === -1 || (ROOMS.includes(target.room) && ROOMS.indexOf(target.room) < rank)) return [];
    return [`${target.place} imports ${target.path}: imports go one way, ${ROOMS.join(' <- ')}; move the code down, or hand the value in from above.`];
  });
}

/**
 * A room is entered by its `index.ts`, and so is the folder of another actor. Tests and benches look
 * inside on purpose.
 */
export function doors(file: SourceFile): string[] {
  const room = roomOf(file.path);
  if (!ROOMS.includes(room)) return [];
  return targets(file).flatMap(({ path, specifier, place, room: targetRoom }) => {
    if (targetRoom === room) {
      const folder = actorFolder(path);
      if (folder === undefined || folder === actorFolder(file.path) || path === `actors/${folder}/index.ts`) return [];
      return [`${place} imports ${path}: the door of that actor is actors/${folder}/index.ts; import from there, and export it there if it is meant for others.`];
    }
    if (targetRoom === 'rings' && specifier !== RINGS_PACKAGE) return [`${place} imports ${specifier}: rings is a package of its own; import it as '${RINGS_PACKAGE}'.`];
    if (path === `${targetRoom}/index.ts`) return [];
    return [`${place} imports ${path}: the door of ${targetRoom} is ${targetRoom}/index.ts; import from there, and export it there if it is meant for others.`];
  });
}

function actorFolder(path: string): string | undefined {
  return /^actors\/([^/]+)\//.exec(path)?.[1];
}

/** `rings` is usable alone, in any place that has shared memory: it imports nothing but itself. */
export function ringsStandAlone(file: SourceFile): string[] {
  if (roomOf(file.path) !== 'rings') return [];
  return file.imports
    .filter(({ specifier }) => !specifier.startsWith('.'))
    .map(({ specifier, line }) => `${file.path}:${line} imports '${specifier}': rings has no dependencies, not even on Node; have the value handed in.`);
}

/** A door lists names, so that one file shows what a room offers. */
export function doorsOnlyList(file: SourceFile): string[] {
  if (posix.basename(file.path) !== 'index.ts') return [];
  return file.body
    .filter((statement) => statement.type !== 'ExportNamedDeclaration' || statement['source'] === null)
    .map((statement) => `${file.path}:${file.lineOf(statement)}: an index.ts only lists \`export { Name } from './file.ts'\`; name each export, and move any code into a file of its own.`);
}
