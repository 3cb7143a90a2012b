/** Objects with known properties: flag bytes, then every field at its own offset. */
import type { FormEmitter, Generator, Position } from '../generator.ts';
import { literal, property, plus } from '../generator.ts';
import { isVariable } from '../layout.ts';
import type { Field, StructLayout } from '../layout.ts';

export const structForm: FormEmitter<StructLayout> = {
  size(out, { fields, path }, value) {
    out.line(`if (!isRecord(${value})) misfit(${literal(path)}, 'an object', ${value});`);
    for (const field of fields) {
      if (!isVariable(field.layout)) continue;
      const local = out.local(field.name, property(value, field.name));
      const absent = absence(field, local);
      if (absent === '') out.size(field.layout, local);
      else out.block(`if (!(${absent}))`, () => out.size(field.layout, local));
    }
  },

  write(out, layout, value, position) {
    out.line(`if (!isRecord(${value})) misfit(${literal(layout.path)}, 'an object', ${value});`);
    const flags = flagNames(out, layout);
    for (const flag of flags) out.line(`let ${flag} = 0;`);
    for (const field of layout.fields) writeField(out, field, value, flags, plus(position, field.offset));
    flags.forEach((flag, byte) => out.line(`u8[${plus(position, byte)}] = ${flag};`));
    if (layout.fields.length === 0) out.line(`u8[${position}] = 0;`);
  },

  read(out, layout, position) {
    const flags = flagNames(out, layout);
    flags.forEach((flag, byte) => {
      out.line(`const ${flag} = u8[${plus(position, byte)}];`);
      const used = Math.min(8, layout.flagBits - byte * 8);
      if (used < 8) out.line(`if (${flag} >= ${1 << used}) damaged('bad_tag', ${literal(layout.path)});`);
    });
    const struct = requiredPart(out, layout, (field) => readField(out, field, flags, plus(position, field.offset)));
    for (const field of layout.fields) {
      if (field.presentBit === undefined) continue;
      out.block(`if (${bit(flags, field.presentBit)})`, () => {
        out.line(`${struct}[${literal(field.name)}] = ${readField(out, field, flags, plus(position, field.offset))};`);
      });
    }
    return struct;
  },

  copy(out, layout, value) {
    out.line(`if (!isRecord(${value})) misfit(${literal(layout.path)}, 'an object', ${value});`);
    const struct = requiredPart(out, layout, (field) => copyField(out, field, out.local(field.name, property(value, field.name))));
    for (const field of layout.fields) {
      if (field.presentBit === undefined) continue;
      const local = out.local(field.name, property(value, field.name));
      out.block(`if (${local} !== undefined)`, () => {
        out.line(`${struct}[${literal(field.name)}] = ${copyField(out, field, local)};`);
      });
    }
    return struct;
  },
};

/** One literal with the tag and all required properties, so that objects of a schema share their shape. */
function requiredPart(out: Generator, layout: StructLayout, codeOf: (field: Field) => string): string {
  const required = layout.fields.filter((field) => field.presentBit === undefined);
  const properties = required.map((field) => `${key(field.name)}: ${codeOf(field)}`);
  if (layout.tag !== undefined) properties.unshift(`${key(layout.tag.name)}: ${literal(layout.tag.value)}`);
  return out.local('struct', properties.length === 0 ? '{}' : `{ ${properties.join(', ')} }`);
}

/** Absent and null fields leave zeros behind, so that equal values have equal bytes. */
function writeField(out: Generator, field: Field, value: string, flags: readonly string[], position: Position): void {
  const local = out.local(field.name, property(value, field.name));
  const { presentBit, nullBit, layout } = field;
  const absent = absence(field, local);
  if (absent === '') {
    out.write(layout, local, position);
    return;
  }
  if (presentBit !== undefined) out.line(`if (${local} !== undefined) ${setBit(flags, presentBit)};`);
  if (nullBit !== undefined) out.line(`if (${local} === null) ${setBit(flags, nullBit)};`);
  out.block(`if (${absent})`, () => out.line(`u8.fill(0, ${position}, ${plus(position, layout.fixedBytes)});`));
  out.block('else', () => out.write(layout, local, position));
}

function readField(out: Generator, { layout, nullBit, name }: Field, flags: readonly string[], position: Position): string {
  if (nullBit === undefined) return out.read(layout, position);
  const local = out.name(name);
  out.line(`let ${local} = null;`);
  out.block(`if (!(${bit(flags, nullBit)}))`, () => out.line(`${local} = ${out.read(layout, position)};`));
  return local;
}

function copyField(out: Generator, { layout, nullBit, name }: Field, value: string): string {
  if (nullBit === undefined) return out.copy(layout, value);
  const local = out.name(name);
  out.line(`let ${local} = null;`);
  out.block(`if (${value} !== null)`, () => out.line(`${local} = ${out.copy(layout, value)};`));
  return local;
}

/** The condition under which a field has no bytes, or '' when it always has. */
function absence({ presentBit, nullBit }: Field, value: string): string {
  const cases: string[] = [];
  if (presentBit !== undefined) cases.push(`${value} === undefined`);
  if (nullBit !== undefined) cases.push(`${value} === null`);
  return cases.join(' || ');
}

function flagNames(out: Generator, layout: StructLayout): string[] {
  return Array.from({ length: Math.ceil(layout.flagBits / 8) }, () => out.name('flags'));
}

function bit(flags: readonly string[], index: number): string {
  return `${flags[index >> 3]} & ${1 << (index & 7)}`;
}

function setBit(flags: readonly string[], index: number): string {
  return `${flags[index >> 3]} |= ${1 << (index & 7)}`;
}

/** A property name in an object literal. */
function key(name: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? name : literal(name);
}
