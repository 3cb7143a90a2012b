/** The empty form: the bytes of an injected codec, with their count in the fixed part. */
import type { FormEmitter } from '../generator.ts';
import { literal } from '../generator.ts';
import type { UntypedLayout } from '../layout.ts';

export const untypedForm: FormEmitter<UntypedLayout> = {
  size(out, { path }, value) {
    out.line(`size += untyped.measure(${value}, ${literal(path)});`);
  },
  write(out, { path }, value, position) {
    const bytes = out.local('bytes', `untyped.take(${value}, ${literal(path)})`);
    out.line(`if (${bytes}.length > end - at) overflow(${literal(path)});`);
    out.line(`u8.set(${bytes}, at);`);
    out.line(`view.setUint32(${position}, ${bytes}.length, true);`);
    out.line(`at += ${bytes}.length;`);
  },
  read(out, { path }, position) {
    const count = out.local('count', `view.getUint32(${position}, true)`);
    out.line(`if (${count} > end - at) damaged('truncated', ${literal(path)});`);
    // A copy, because the injected codec may not take shared memory and may keep parts of it.
    const value = out.local('untyped', `untyped.read(u8.slice(at, at + ${count}), ${literal(path)})`);
    out.line(`at += ${count};`);
    return value;
  },
  copy(out, { path }, value) {
    return out.local('untyped', `untyped.copy(${value}, ${literal(path)})`);
  },
};
