/** Text: a header in the fixed part, code units in the variable part (see `strings.ts`). */
import type { FormEmitter } from '../generator.ts';
import { literal } from '../generator.ts';
import type { TextLayout } from '../layout.ts';

export const textForm: FormEmitter<TextLayout> = {
  size(out, { path }, value) {
    out.line(`size += textByteLength(${value}, ${literal(path)});`);
  },
  write(out, { path }, value, position) {
    const header = out.local('header', `writeText(memory, ${value}, at, end, ${literal(path)})`);
    out.line(`view.setUint32(${position}, ${header}, true);`);
    out.line(`at += textBytes(${header});`);
  },
  read(out, { path }, position) {
    const header = out.local('header', `view.getUint32(${position}, true)`);
    const bytes = out.local('bytes', `textBytes(${header})`);
    out.line(`if (${bytes} > end - at) damaged('truncated', ${literal(path)});`);
    const text = out.local('text', `readText(memory, at, ${header})`);
    out.line(`at += ${bytes};`);
    return text;
  },
  copy(out, { path }, value) {
    // A string never changes, so it is its own copy, lone surrogates included.
    out.line(`if (typeof ${value} !== 'string') misfit(${literal(path)}, 'a string', ${value});`);
    return value;
  },
};
