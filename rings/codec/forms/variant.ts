/** Discriminated objects: the index of the mapping in the fixed part, its struct in the variable part. */
import type { FormEmitter, Generator } from '../generator.ts';
import { literal, property } from '../generator.ts';
import type { StructLayout, VariantLayout } from '../layout.ts';
import { readIndex, writeIndex } from './scalar.ts';

export const variantForm: FormEmitter<VariantLayout> = {
  size(out, layout, value) {
    switchOnTag(out, layout, value, (struct) => {
      out.line(`size += ${struct.fixedBytes};`);
      out.size(struct, value);
    });
  },
  write(out, layout, value, position) {
    switchOnTag(out, layout, value, (struct, index) => {
      out.line(writeIndex(layout.structs.length, position, index));
      out.write(struct, value, out.claim(struct.fixedBytes, struct));
    });
  },
  read(out, layout, position) {
    const variant = out.name('variant');
    out.line(`let ${variant};`);
    out.block(`switch (${readIndex(layout.structs.length, position)})`, () => {
      layout.structs.forEach((struct, index) => {
        out.block(`case ${index}:`, () => {
          out.line(`${variant} = ${out.read(struct, out.advance(struct.fixedBytes, struct))};`);
          out.line('break;');
        });
      });
      out.line(`default: damaged('bad_tag', ${literal(layout.path)});`);
    });
    return variant;
  },
  copy(out, layout, value) {
    const variant = out.name('variant');
    out.line(`let ${variant};`);
    switchOnTag(out, layout, value, (struct) => out.line(`${variant} = ${out.copy(struct, value)};`));
    return variant;
  },
};

type EmitCase = (struct: StructLayout, index: number) => void;

function switchOnTag(out: Generator, layout: VariantLayout, value: string, body: EmitCase): void {
  out.line(`if (!isRecord(${value})) misfit(${literal(layout.path)}, 'an object', ${value});`);
  const tag = out.local(layout.tag, property(value, layout.tag));
  out.block(`switch (${tag})`, () => {
    layout.structs.forEach((struct, index) => {
      out.block(`case ${literal(struct.tag?.value ?? '')}:`, () => {
        body(struct, index);
        out.line('break;');
      });
    });
    out.line(`default: misfit(${literal(`${layout.path}/${layout.tag}`)}, 'a value of the mapping', ${tag});`);
  });
}
