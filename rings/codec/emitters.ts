/** The emitter of every form that a schema can have, for what is compiled from schemas. */
import { blockForm } from './forms/block.ts';
import { listForm, mapForm } from './forms/list.ts';
import { nullableForm } from './forms/nullable.ts';
import { booleanForm, enumForm, numberForm, timestampForm } from './forms/scalar.ts';
import { structForm } from './forms/struct.ts';
import { textForm } from './forms/text.ts';
import { untypedForm } from './forms/untyped.ts';
import { variantForm } from './forms/variant.ts';
import type { Emitters } from './generator.ts';

export const EMITTERS: Emitters = {
  boolean: booleanForm,
  number: numberForm,
  timestamp: timestampForm,
  enum: enumForm,
  text: textForm,
  block: blockForm,
  list: listForm,
  map: mapForm,
  untyped: untypedForm,
  nullable: nullableForm,
  struct: structForm,
  variant: variantForm,
};
