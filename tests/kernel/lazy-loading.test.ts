import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

/** Runs a module in a process of its own, because here other tests have loaded everything. @returns the packages it has loaded */
async function packagesOf(code: string): Promise<string[]> {
  const list = `
    import { createRequire } from 'node:module';
    ${code}
    const files = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify(['ajv', 'pino'].filter((name) => files.some((file) => file.includes('/node_modules/' + name + '/')))));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', list]);
  return JSON.parse(stdout) as string[];
}

const kernel = JSON.stringify(new URL('../../kernel/index.ts', import.meta.url).href);
const supervisors = JSON.stringify(new URL('../../supervisors/index.ts', import.meta.url).href);

describe('what takes long to load is loaded with its first use', () => {
  test('neither the kernel nor the supervisors bring it along', async () => {
    expect(await packagesOf(`await import(${kernel}); await import(${supervisors});`)).toEqual([]);
  });

  test('and a validator brings ajv when it is called', async () => {
    const code = `const { validatorOf } = await import(${kernel}); validatorOf({ type: 'string' })('text');`;
    expect(await packagesOf(code)).toEqual(['ajv']);
  });
});
