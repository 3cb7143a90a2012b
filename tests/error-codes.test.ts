import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS_PAGE, ERROR_TABLES, renderErrors, type ErrorTable } from '../docs/reference/generate-errors.ts';
import { ROOMS, roomOf } from './tidy/import-rules.ts';
import { isSource, parseSource, readText, repoPaths, type Node, type SourceFile } from './tidy/source-file.ts';

const ERROR_CLASSES = ['SpillwayError', 'RingError', 'CodecError'];

/** Files that throw with a code they were handed. Where it is typed by its table, the compiler checks it. */
const HANDED_CODES: Readonly<Record<string, string>> = {
  'kernel/actor-table.ts': 'typed KernelErrorCode',
  'kernel/admin/admin-client.ts': 'typed AdminFailureCode',
  'kernel/asks.ts': 'typed KernelErrorCode',
  'kernel/failure.ts': 'the code that another thread threw, brought back as it was',
  'kernel/waiting-sends.ts': 'typed KernelErrorCode',
  'kernel/streams.ts': 'typed KernelErrorCode',
  'kernel/process/process-worker.ts': 'the code that the bridge has found',
  'kernel/thread-host.ts': 'the code that the start of an actor threw, or actor_start_failed',
  'actors/inference/gguf/parser.ts': 'typed InferenceErrorCode',
  'actors/storage/sqlite-connection.ts': 'typed StorageErrorCode',
  'rings/codec/runtime.ts': 'typed CodecErrorCode',
};

interface Throw {
  readonly errorClass: string;
  /** Undefined if it is not written out at the place. */
  readonly code: string | undefined;
  readonly place: string;
}

function throwsOf(file: SourceFile): Throw[] {
  return file.nodes.flatMap((node) => {
    const callee = node['callee'] as Node | undefined;
    if (node.type !== 'NewExpression' || !ERROR_CLASSES.includes(callee?.['name'] as string)) return [];
    const [first] = node['arguments'] as Node[];
    const place = `${file.path}:${file.lineOf(node)}`;
    return codesOf(first).map((code) => ({ errorClass: String(callee?.['name']), code, place }));
  });
}

/** A literal, or one in each branch of `a ? 'x' : 'y'`. */
function codesOf(argument: Node | undefined): (string | undefined)[] {
  if (argument?.type === 'ConditionalExpression') return ['consequent', 'alternate'].flatMap((branch) => codesOf(argument[branch] as Node));
  return [argument?.type === 'Literal' ? String(argument['value']) : undefined];
}

/** Whether code in `path` may use the table: it lies in the folder of the table, or in a room above. */
function sees(path: string, table: ErrorTable): boolean {
  const home = posix.dirname(table.source);
  if (path.startsWith(`${home}/`)) return true;
  if (table.errorClass !== 'SpillwayError') return false;
  // Actors answer each other with codes, so each may pass on, or switch on, those of another.
  return roomOf(path) === 'actors' ? true : ROOMS.indexOf(roomOf(path)) > ROOMS.indexOf(roomOf(table.source));
}

function unlisted(files: readonly SourceFile[], tables: readonly ErrorTable[]): string[] {
  return files.flatMap(throwsOf).flatMap(({ errorClass, code, place }) => {
    const path = place.slice(0, place.lastIndexOf(':'));
    if (code === undefined) return path in HANDED_CODES ? [] : [`${place}: write the code out, so that it can be found, or list the file in HANDED_CODES.`];
    const listed = tables.some((table) => table.errorClass === errorClass && sees(path, table) && code in table.codes);
    return listed ? [] : [`${place}: '${code}' is in no table that this file sees; add it to the error-codes.ts of its folder, then run \`npm run docs:errors\`.`];
  });
}

function unused(files: readonly SourceFile[], tables: readonly ErrorTable[]): string[] {
  return tables.flatMap((table) => {
    const literals = new Set(
      files
        .filter(({ path }) => sees(path, table))
        .flatMap(({ nodes }) => nodes.filter(({ type }) => type === 'Literal'))
        .map((node) => node['value']),
    );
    return Object.keys(table.codes)
      .filter((code) => !literals.has(code))
      .map((code) => `${table.source}: nothing has the code '${code}'; take it out, or use it.`);
  });
}

const sources = repoPaths()
  .filter((path) => isSource(path) && ROOMS.includes(roomOf(path)))
  .map((path) => parseSource(path, readText(path)));

describe('error codes', () => {
  it('are listed wherever an error is thrown', () => {
    expect(unlisted(sources, ERROR_TABLES)).toEqual([]);
  });
  it('are used if they are listed', () => {
    expect(unused(sources, ERROR_TABLES)).toEqual([]);
  });
  it('come from tables that the reference page knows', () => {
    const exported = sources.flatMap(({ path, nodes }) =>
      nodes.flatMap((node) => (node.type === 'VariableDeclarator' && /^[A-Z]+_ERRORS$/.test(String((node['id'] as Node)['name'])) ? [path] : [])),
    );
    expect(exported.toSorted()).toEqual(ERROR_TABLES.map(({ source }) => source).toSorted());
  });
  it('are snake_case, and each says in sentences what it means', () => {
    for (const { codes } of ERROR_TABLES) {
      for (const [code, meaning] of Object.entries(codes)) {
        expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
        expect(meaning).toMatch(/^[A-Z][^\n]{20,}\.$/);
      }
    }
  });
  it('mean one thing each', () => {
    const codes = ERROR_TABLES.filter(({ errorClass }) => errorClass === 'SpillwayError').flatMap((table) => Object.keys(table.codes));
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });
  it('stand in the reference page as they stand in the tables (else run `npm run docs:errors`)', () => {
    expect(readFileSync(ERRORS_PAGE, 'utf8')).toBe(renderErrors(ERROR_TABLES));
  });
  it('are handed on only by files that exist and do', () => {
    const handing = new Set(sources.flatMap(throwsOf).flatMap(({ code, place }) => (code === undefined ? [place.split(':')[0]] : [])));
    expect(Object.keys(HANDED_CODES).filter((path) => !handing.has(path))).toEqual([]);
  });
});

describe('the check itself', () => {
  const table: ErrorTable = { title: 'T', errorClass: 'SpillwayError', source: 'supervisors/error-codes.ts', codes: { child_lost: 'A child is lost. Look for it.' } };
  const thrown = (path: string, argument: string): SourceFile => parseSource(path, `throw new SpillwayError(${argument}, 'text');`);
  it('finds a code that is in no table', () => {
    expect(unlisted([thrown('supervisors/a.ts', `'child_found'`)], [table])).toHaveLength(1);
    expect(unlisted([thrown('supervisors/a.ts', `'child_lost'`)], [table])).toEqual([]);
  });
  it('finds a code in either branch of a choice', () => {
    expect(unlisted([thrown('supervisors/a.ts', `late ? 'child_late' : 'child_lost'`)], [table])).toHaveLength(1);
  });
  it('finds a code that belongs to a room above', () => {
    expect(unlisted([thrown('kernel/a.ts', `'child_lost'`)], [table])).toHaveLength(1);
    expect(unlisted([thrown('actors/storage/a.ts', `'child_lost'`)], [table])).toEqual([]);
  });
  it('finds a code that is not written out', () => {
    expect(unlisted([thrown('supervisors/a.ts', 'code')], [table])).toHaveLength(1);
  });
  it('finds a code that nothing has', () => {
    expect(unused([thrown('supervisors/a.ts', `'child_found'`)], [table])).toHaveLength(1);
    expect(unused([thrown('supervisors/a.ts', `'child_lost'`)], [table])).toEqual([]);
  });
});
