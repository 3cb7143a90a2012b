/** A root or an item that may be null: one byte, 1 for null, before the fixed part of the value. */
import type { FormEmitter } from '../generator.ts';
import { literal, plus } from '../generator.ts';
import { isVariable } from '../layout.ts';
import type { NullableLayout } from '../layout.ts';

export const nullableForm: FormEmitter<NullableLayout> = {
  size(out, { inner }, value) {
    if (isVariable(inner)) out.block(`if (${value} !== null)`, () => out.size(inner, value));
  },
  write(out, { inner, fixedBytes }, value, position) {
    out.block(`if (${value} === null)`, () => {
      out.line(`u8[${position}] = 1;`);
      out.line(`u8.fill(0, ${plus(position, 1)}, ${plus(position, fixedBytes)});`);
    });
    out.block('else', () => {
      out.line(`u8[${position}] = 0;`);
      out.write(inner, value, plus(position, 1));
    });
  },
  read(out, { inner, path }, position) {
    const value = out.name('nullable');
    out.line(`let ${value} = null;`);
    out.line(`if (u8[${position}] > 1) damaged('bad_tag', ${literal(path)});`);
    out.block(`if (u8[${position}] === 0)`, () => out.line(`${value} = ${out.read(inner, plus(position, 1))};`));
    return value;
  },
  copy(out, { inner }, value) {
    const copy = out.name('nullable');
    out.line(`let ${copy} = null;`);
    out.block(`if (${value} !== null)`, () => out.line(`${copy} = ${out.copy(inner, value)};`));
    return copy;
  },
};
