/**
 * The way to the schema validator for everybody else. ajv is loaded with the first value that is
 * checked: a worker thread, whose messages the codec checks well enough, must not pay for it at start.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { JtdSchema } from 'atomics-ring-buffer';
import type { Validator } from './schema-validator.ts';
import { siblingModule } from './thread-boot.ts';

/**
 * A validator of values that are to fit the schema, compiled when it is first called.
 * It throws SpillwayError `message_invalid`, or a TypeError if the schema is not one of RFC 8927.
 */
export function validatorOf(schema: JtdSchema): Validator {
  let validate: Validator | undefined;
  return (value) => {
    validate ??= loadCompiler()(schema);
    validate(value);
  };
}

function loadCompiler(): (schema: JtdSchema) => Validator {
  const require = createRequire(import.meta.url);
  const file = fileURLToPath(siblingModule('schema-validator', import.meta.url));
  return (require(file) as typeof import('./schema-validator.ts')).compileValidator;
}
