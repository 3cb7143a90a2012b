/** What stands in names and texts of files must not drive the terminal of whoever searches them. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { jsonLines, scratchFolder, spillway } from './command-line.ts';
import { writeText } from './sample-folder.ts';

const ESCAPE = '\u001b';

it('shows control characters of names and texts as dots, and leaves them alone in JSON', async () => {
  const folder = scratchFolder();
  const index = join(scratchFolder(), 'index');
  const name = `pelican${ESCAPE}[2J.md`;
  writeText(folder, name, `The pelican ${ESCAPE}[31mdives for herring.\n`);
  symlinkSync(folder, join(folder, `link${ESCAPE}[2J`));

  const embedded = await spillway(['embed', folder, '--index', index, '--verbose']);
  expect(embedded.code).toBe(0);
  expect(embedded.stderr).toContain('skipped link·[2J: symlink');
  expect(embedded.stderr).not.toContain(ESCAPE);

  const shown = await spillway(['search', 'pelican herring', '--index', index]);
  expect(shown.stdout).toContain('pelican·[2J.md:1-1');
  expect(shown.stdout).not.toContain(ESCAPE);

  const machine = await spillway(['search', 'pelican herring', '--index', index, '--json']);
  expect(jsonLines(machine.stdout)[0]).toMatchObject({ path: name });
});
