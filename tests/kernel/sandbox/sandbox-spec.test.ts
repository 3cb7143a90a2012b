/** What may stand in the spec of a sandbox. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SpillwayError } from '../../../kernel/errors.ts';
import { checkSandbox } from '../../../kernel/sandbox/sandbox-spec.ts';

const root = mkdtempSync(join(realpathSync(tmpdir()), 'spillway-sandbox-'));
const folder = join(root, 'folder');
mkdirSync(join(folder, 'inner'), { recursive: true });
writeFileSync(join(folder, 'file'), '');
symlinkSync('folder', join(root, 'link'));
afterAll(() => rmSync(root, { recursive: true }));

function fault(spec: unknown): { path: unknown; message: string } {
  try {
    checkSandbox(spec);
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'sandbox_invalid') return { path: error.details['path'], message: error.message };
    throw error;
  }
  throw new Error('It was taken.');
}

describe('the spec of a sandbox', () => {
  it('grants nothing by default', () => {
    expect(checkSandbox({})).toEqual({
      read: [],
      write: [],
      network: 'none',
      required: true,
      permissions: true,
      seccomp: 'required',
      allowAddons: false,
      allowProcesses: false,
      tmpBytes: 64 * 2 ** 20,
      memoryBytes: undefined,
      fileBytes: 2 ** 30,
      descriptors: 1024,
      threads: 512,
    });
  });
  it('may grant files and folders, one in another', () => {
    expect(checkSandbox({ read: [folder], write: [join(folder, 'inner')] })).toMatchObject({ read: [folder], write: [join(folder, 'inner')] });
  });
  it.each<[what: string, spec: unknown, path: string, message: RegExp]>([
    ['no object', [], 'sandbox', /must be an object/],
    ['an unknown key', { networks: 'none' }, 'sandbox.networks', /not known; known are read, write, network/],
    ['an unknown network', { network: 'all' }, 'sandbox.network', /one of none, host/],
    ['a word for a flag', { required: 'no' }, 'sandbox.required', /true or false/],
    ['null for a flag of safety', { seccomp: 0 }, 'sandbox.seccomp', /one of required, if_available/],
    ['a /tmp of no size', { tmpBytes: 0 }, 'sandbox.tmpBytes', /integer from 65536/],
    ['memory that Node cannot start in', { memoryBytes: 2 ** 20 }, 'sandbox.memoryBytes', /integer from/],
    ['a path for a list', { read: '/usr' }, 'sandbox.read', /array of paths/],
    ['too many paths', { read: Array.from({ length: 257 }, () => folder) }, 'sandbox.read', /more than 256/],
    ['a relative path', { read: ['folder'] }, 'sandbox.read[0]', /absolute/],
    ['a path with dots', { read: [`${folder}/../folder`] }, 'sandbox.read[0]', /shortest form/],
    ['a path that ends in a slash', { write: [`${folder}/`] }, 'sandbox.write[0]', /shortest form/],
    ['a path that would end its line', { read: [`${folder}\nbind`] }, 'sandbox.read[0]', /control characters/],
    ['a path that is not there', { read: [join(root, 'nothing')] }, 'sandbox.read[0]', /must exist/],
    ['a device', { read: [folder, '/dev/null'] }, 'sandbox.read[1]', /devices/],
    ['a symbolic link', { read: [join(root, 'link')] }, 'sandbox.read[0]', /symbolic link.*name '.*folder'/],
    ['a path over a symbolic link', { write: [join(root, 'link/inner')] }, 'sandbox.write[0]', /symbolic link/],
    ['the root', { read: ['/'] }, 'sandbox.read[0]', /all of its files/],
    ["the host's processes", { read: ['/proc'] }, 'sandbox.read[0]', /processes/],
    ["a part of the host's kernel", { write: ['/sys/kernel'] }, 'sandbox.write[0]', /processes/],
    ['what the child could replace', { write: [folder], read: [join(folder, 'file')] }, 'sandbox.read', /granted for writing/],
    ['one folder for both', { write: [folder], read: [folder] }, 'sandbox.read', /granted for writing/],
    ['a folder to write in one to write', { write: [folder, join(folder, 'inner')] }, 'sandbox.write', /granted for writing/],
  ])('refuses %s', (_, spec, path, message) => {
    expect(fault(spec)).toEqual({ path, message: expect.stringMatching(message) as unknown });
  });
});
