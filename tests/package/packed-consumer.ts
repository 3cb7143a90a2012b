/**
 * Packs both packages as they would be published and unpacks them into an empty project.
 *
 * The build runs on a copy of the files that git knows, so it takes nothing from an older build and
 * leaves nothing in the checkout. Without network: what the packages depend on is linked from the
 * checkout, and only what their package.json names, so a dependency that is not listed is missing here
 * as it would be at a user's.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { REPO, repoPaths } from '../tidy/source-file.ts';

export const PACKAGES = { spillway: '.', 'atomics-ring-buffer': 'rings' } as const;
export type PackageName = keyof typeof PACKAGES;

export interface PackedConsumer {
  /** An empty project with the two packages and the files of `tests/package/consumer` in it. */
  readonly dir: string;
  readonly tarballs: Readonly<Record<PackageName, string>>;
  /** Paths inside the tarball, without its top folder. */
  readonly contents: Readonly<Record<PackageName, readonly string[]>>;
  remove(): void;
}

interface Manifest {
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export function packConsumer(): PackedConsumer {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-package-')));
  const build = join(scratch, 'build');
  const dir = join(scratch, 'consumer');
  copyCheckout(build);
  run(join(REPO, 'node_modules/.bin/tsc'), ['-b', 'tsconfig.build.json'], build);

  mkdirSync(join(dir, 'node_modules/.bin'), { recursive: true });
  const pack = (name: PackageName): { tarball: string; contents: string[] } => {
    const answer = run('npm', ['pack', '--json', '--offline', '--ignore-scripts', '--pack-destination', scratch], join(build, PACKAGES[name]));
    const [{ filename, files }] = JSON.parse(answer) as [{ filename: string; files: { path: string }[] }];
    const tarball = join(scratch, filename);
    install(name, tarball, dir);
    return { tarball, contents: files.map(({ path }) => path) };
  };
  const spillway = pack('spillway');
  const rings = pack('atomics-ring-buffer');

  cpSync(join(REPO, 'tests/package/consumer'), dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  link('@types/node', dir);
  return {
    dir,
    tarballs: { spillway: spillway.tarball, 'atomics-ring-buffer': rings.tarball },
    contents: { spillway: spillway.contents, 'atomics-ring-buffer': rings.contents },
    remove: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

/** The files that git knows, with the checkout's libraries, but its own copy of the `rings` package. */
function copyCheckout(build: string): void {
  for (const path of repoPaths()) {
    mkdirSync(dirname(join(build, path)), { recursive: true });
    cpSync(join(REPO, path), join(build, path));
  }
  mkdirSync(join(build, 'node_modules'));
  for (const name of readdirSync(join(REPO, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'atomics-ring-buffer') symlinkSync(join(REPO, 'node_modules', name), join(build, 'node_modules', name));
  }
  symlinkSync(join(build, 'rings'), join(build, 'node_modules/atomics-ring-buffer'));
}

/** What `npm install` of a tarball does: unpack, link the commands, see to the dependencies. */
function install(name: PackageName, tarball: string, dir: string): void {
  const home = join(dir, 'node_modules', name);
  mkdirSync(home);
  run('tar', ['-xzf', tarball, '-C', home, '--strip-components=1'], dir);
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
  for (const [command, path] of Object.entries(manifest.bin ?? {})) {
    chmodSync(join(home, path), 0o755);
    symlinkSync(join(home, path), join(dir, 'node_modules/.bin', command));
  }
  for (const dependency of Object.keys(manifest.dependencies ?? {})) if (!(dependency in PACKAGES)) link(dependency, dir);
}

function link(dependency: string, dir: string): void {
  const path = join(dir, 'node_modules', dependency);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(REPO, 'node_modules', dependency), path);
}

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
