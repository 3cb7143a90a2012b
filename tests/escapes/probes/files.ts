/** Files and links: reading, writing and naming what was not granted, and going around a grant's edge. */
import fs from 'node:fs';
import { join } from 'node:path';
import { evidence, type Probe } from '../probe.ts';

function isWritable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export const FILE_PROBES: readonly Probe[] = [
  { name: 'read a file outside', expected: 'denied', run: ({ outside }) => fs.readFileSync(join(outside, 'secret.txt'), 'utf8') },
  { name: 'read /etc/passwd', expected: 'denied', run: () => evidence(fs.readFileSync('/etc/passwd', 'utf8').includes('root'), 'users') },
  { name: '`..` through a granted folder', expected: 'denied', run: ({ readable }) => fs.readFileSync(`${readable}/../outside/secret.txt`, 'utf8') },
  { name: '`..` as bytes of a Buffer', expected: 'denied', run: ({ readable }) => fs.readFileSync(Buffer.from(`${readable}/./../outside/secret.txt`), 'utf8') },
  { name: 'read by a file URL', expected: 'denied', run: ({ outside }) => fs.readFileSync(new URL(`file://${outside}/secret.txt`), 'utf8') },
  { name: 'learn about a file outside (stat)', expected: 'denied', run: ({ outside }) => `${fs.statSync(join(outside, 'secret.txt')).size} bytes` },
  { name: 'list the folder around a grant', expected: 'denied', run: ({ root }) => evidence(fs.readdirSync(root).includes('outside'), 'siblings') },
  { name: "list the host's root", expected: 'denied', run: () => evidence(fs.readdirSync('/').includes('var'), 'folders of the host') },
  { name: 'open a folder outside (opendir)', expected: 'denied', run: ({ outside }) => fs.opendirSync(outside).closeSync() },
  { name: 'read a file outside as a Blob', expected: 'denied', run: async ({ outside }) => (await fs.openAsBlob(join(outside, 'secret.txt'))).text() },
  { name: 'write a file outside', expected: 'denied', run: ({ outside }) => fs.writeFileSync(join(outside, 'to-spoil.txt'), 'spoilt') },
  { name: 'create a file outside', expected: 'denied', run: ({ outside }) => fs.writeFileSync(join(outside, 'new.txt'), 'new') },
  { name: 'delete a file outside', expected: 'denied', run: ({ outside }) => fs.unlinkSync(join(outside, 'to-delete.txt')) },
  { name: 'move a file outside into a grant', expected: 'denied', run: ({ outside, writable }) => fs.renameSync(join(outside, 'to-move.txt'), join(writable, 'moved.txt')) },
  { name: 'copy a file outside', expected: 'denied', run: ({ outside, writable }) => fs.copyFileSync(join(outside, 'secret.txt'), join(writable, 'copied.txt')) },
  { name: 'write in a folder granted for reading', expected: 'denied', run: ({ readable }) => fs.writeFileSync(join(readable, 'inside.txt'), 'spoilt') },
  { name: 'change the mode of a file granted for reading', expected: 'denied', run: ({ readable }) => fs.chmodSync(join(readable, 'inside.txt'), 0o777) },
  { name: 'change the times of a file granted for reading', expected: 'denied', run: ({ readable }) => fs.utimesSync(join(readable, 'inside.txt'), 1, 1) },
  { name: "write in the package's own code", expected: 'denied', impossible: ({ packageRoot }) => (isWritable(join(packageRoot, 'kernel/index.ts')) ? undefined : 'this user may not, outside'), run: ({ packageRoot }) => fs.closeSync(fs.openSync(join(packageRoot, 'kernel/index.ts'), 'r+')) },
  { name: 'watch a folder outside', expected: 'denied', run: ({ outside }) => fs.watch(outside).close() },
  { name: 'fill the disk by /tmp', expected: 'denied', run: () => { try { fs.writeFileSync('/tmp/spillway-escapes-large', Buffer.alloc(16 * 2 ** 20)); } finally { fs.unlinkSync('/tmp/spillway-escapes-large'); } } },
  { name: 'read what was granted', expected: { accepted: 'It was granted.' }, run: ({ readable }) => fs.readFileSync(join(readable, 'inside.txt'), 'utf8') },
  {
    name: 'read node_modules and the actor\'s folder',
    expected: { accepted: 'Code must be read to run. Keep secrets out of the folders that hold code.' },
    run: ({ packageRoot }) => evidence(fs.readdirSync(join(packageRoot, 'node_modules')).length > 0, 'names of modules'),
  },

  { name: 'read through a link that leads out', expected: 'denied', run: ({ readable }) => fs.readFileSync(join(readable, 'link-out'), 'utf8') },
  { name: 'list recursively through a linked folder', expected: 'denied', run: ({ readable }) => evidence(fs.readdirSync(readable, { recursive: true }).some((name) => String(name).endsWith('out/secret.txt')), 'names') },
  { name: 'glob through a linked folder', expected: 'denied', run: ({ readable }) => evidence(fs.globSync('folder-out/*', { cwd: readable }).length > 0, 'names') },
  { name: 'copy recursively through links', expected: 'denied', run: ({ readable, writable }) => (fs.cpSync(join(readable, 'folder-out'), join(writable, 'copy'), { recursive: true, dereference: true, filter: (path) => !path.endsWith('.sock') }), fs.readFileSync(join(writable, 'copy/secret.txt'), 'utf8')) },
  {
    name: 'write through a link of its own',
    expected: 'denied',
    run: ({ outside, writable }) => {
      fs.symlinkSync(join(outside, 'to-spoil.txt'), join(writable, 'link'));
      return fs.writeFileSync(join(writable, 'link'), 'spoilt', { flag: 'r+' });
    },
  },
  {
    name: 'swap a link while it is read',
    expected: 'denied',
    run: async ({ outside, writable, secret }) => {
      const [name, other] = [join(writable, 'swapped'), join(writable, 'other')];
      let last: unknown = new Error('never read');
      for (let round = 0; round < 100; round++) {
        const reads: Promise<string | Error>[] = [];
        for (const target of [join(writable, 'inside.txt'), join(outside, 'secret.txt')]) {
          fs.symlinkSync(target, other);
          fs.renameSync(other, name);
          reads.push(fs.promises.readFile(name, 'utf8').catch((error: Error) => error));
        }
        for (const read of await Promise.all(reads)) {
          if (read === secret) return read;
          if (read instanceof Error) last = read;
        }
      }
      throw last;
    },
  },
  { name: 'hard link a file outside', expected: 'denied', run: ({ outside, writable }) => fs.linkSync(join(outside, 'secret.txt'), join(writable, 'hard')) },
  {
    name: 'write what is read-only by a hard link',
    expected: 'denied',
    run: ({ readable, writable }) => {
      fs.linkSync(join(readable, 'inside.txt'), join(writable, 'hard-inside'));
      return fs.writeFileSync(join(writable, 'hard-inside'), 'spoilt');
    },
  },
  {
    name: 'read a hard link that the host has put into a grant',
    expected: { accepted: 'A hard link is the file: who puts one into a granted folder grants it.' },
    run: ({ readable }) => fs.readFileSync(join(readable, 'hard-link'), 'utf8'),
  },
  {
    name: 'learn where a link leads',
    expected: { accepted: 'The text of a link in a granted folder is part of what was granted. It does not lead anywhere.' },
    run: ({ readable }) => fs.readlinkSync(join(readable, 'link-out')),
  },
  {
    name: 'leave a link for the host to follow',
    expected: { accepted: 'What lies in a folder granted for writing is the child\'s word. The host must not follow links in it.' },
    run: ({ outside, writable }) => fs.symlinkSync(join(outside, 'secret.txt'), join(writable, 'trap')),
  },
];
