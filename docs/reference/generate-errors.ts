/**
 * Writes `errors.md` beside this file from the tables of error codes in the sources, so that the page
 * and the code cannot differ: `npm run docs:errors`. A test fails while the page is out of date.
 */
import { writeFileSync } from 'node:fs';
import { CODEC_ERRORS, RING_ERRORS } from 'atomics-ring-buffer';
import { CONSOLE_ERRORS } from '../../actors/console/error-codes.ts';
import { INFERENCE_ERRORS } from '../../actors/inference/error-codes.ts';
import { LEXICAL_ERRORS } from '../../actors/inference/lexical/error-codes.ts';
import { INGESTION_ERRORS } from '../../actors/ingestion/error-codes.ts';
import { STORAGE_ERRORS } from '../../actors/storage/error-codes.ts';
import { KERNEL_ERRORS } from '../../kernel/error-codes.ts';
import { SUPERVISOR_ERRORS } from '../../supervisors/error-codes.ts';

export interface ErrorTable {
  readonly title: string;
  readonly errorClass: 'SpillwayError' | 'RingError' | 'CodecError';
  /** The file that has the table; its codes are used in its folder and in those above. */
  readonly source: string;
  readonly codes: Readonly<Record<string, string>>;
}

export const ERROR_TABLES: readonly ErrorTable[] = [
  { title: 'Kernel', errorClass: 'SpillwayError', source: 'kernel/error-codes.ts', codes: KERNEL_ERRORS },
  { title: 'Supervisors', errorClass: 'SpillwayError', source: 'supervisors/error-codes.ts', codes: SUPERVISOR_ERRORS },
  { title: 'Ingestion', errorClass: 'SpillwayError', source: 'actors/ingestion/error-codes.ts', codes: INGESTION_ERRORS },
  { title: 'Inference', errorClass: 'SpillwayError', source: 'actors/inference/error-codes.ts', codes: INFERENCE_ERRORS },
  { title: 'The built-in model', errorClass: 'SpillwayError', source: 'actors/inference/lexical/error-codes.ts', codes: LEXICAL_ERRORS },
  { title: 'Storage', errorClass: 'SpillwayError', source: 'actors/storage/error-codes.ts', codes: STORAGE_ERRORS },
  { title: 'Command line', errorClass: 'SpillwayError', source: 'actors/console/error-codes.ts', codes: CONSOLE_ERRORS },
  { title: 'Rings', errorClass: 'RingError', source: 'rings/ring.ts', codes: RING_ERRORS },
  { title: 'Codec', errorClass: 'CodecError', source: 'rings/codec/codec-error.ts', codes: CODEC_ERRORS },
];

export const ERRORS_PAGE = new URL('./errors.md', import.meta.url);

const INTRODUCTION = `# Error codes

Every operating error has a \`code\` that a program may switch on and that keeps its meaning, and a
message for people: what was expected, what came, what to do. \`SpillwayError\` is the one class of the
runtime; \`details\` holds the facts that a program may want. \`rings\` is a package of its own and has
its own two classes. An error without a code is a programmer's mistake: it ends the actor, and its
supervisor decides.

The command line prints the code in brackets after the message, or as \`code\` of the event \`error\`
with \`--json\`.

This page is made from the tables in the sources by \`npm run docs:errors\`.
`;

export function renderErrors(tables: readonly ErrorTable[]): string {
  const sections = tables.map(({ title, errorClass, source, codes }) => {
    const rows = Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning.replaceAll('|', '\\|')} |`);
    return [`## ${title}`, '', `\`${errorClass}\`, listed in \`${source}\`.`, '', '| code | what it means and what to do |', '| --- | --- |', ...rows, ''].join('\n');
  });
  return [INTRODUCTION, ...sections].join('\n');
}

if (import.meta.main) writeFileSync(ERRORS_PAGE, renderErrors(ERROR_TABLES));
