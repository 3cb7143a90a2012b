/**
 * The little that a walk must know of a git repository: where its top is, and which rule files
 * apply to all of it (`info/exclude`, `core.excludesFile`) besides the `.gitignore` files.
 *
 * Read from the files themselves: git need not be installed, and a child process per repository
 * would cost more than the walk. Of git's configuration only the two settings that change ignore
 * rules are read; `include` directives are not followed.
 */
import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readRuleFile } from './rule-file.ts';

export interface GitRepository {
  /** The work tree's top folder, absolute. */
  readonly topPath: string;
  /** Where `info/exclude` and `config` are; shared by all work trees of a repository. */
  readonly commonPath: string;
}

/** The repository whose work tree has its top at `path`, or `undefined` when there is none. */
export function repositoryAt(path: string): GitRepository | undefined {
  const dotGit = join(path, '.git');
  const stat = fs.lstatSync(dotGit, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  let gitPath = dotGit;
  if (stat.isFile()) {
    // A linked work tree or a submodule: the file names the real folder.
    const target = /^gitdir: (.+?)\r?\n?$/.exec(readRuleFile(dotGit, 'refused') ?? '')?.[1];
    if (target === undefined) return undefined;
    gitPath = resolve(path, target);
  }
  const common = readRuleFile(join(gitPath, 'commondir'), 'followed')?.trim();
  const commonPath = common === undefined ? gitPath : resolve(gitPath, common);
  // Git's own test of a repository, shortened: an empty folder named .git is not one.
  const real = fs.existsSync(join(gitPath, 'HEAD')) && fs.existsSync(join(commonPath, 'objects'));
  return real ? { topPath: path, commonPath } : undefined;
}

/** The repository that `path` (absolute, real) lies in; the innermost when they are nested. */
export function repositoryAround(path: string): GitRepository | undefined {
  for (let folder = path; ; folder = dirname(folder)) {
    const repository = repositoryAt(folder);
    if (repository !== undefined || dirname(folder) === folder) return repository;
  }
}

export interface RepositoryRules {
  /** Texts of the rule files that apply to the whole work tree, the weakest first. */
  readonly texts: readonly string[];
  readonly ignoreCase: boolean;
}

/** Reads the rules that hold for all of `repository`, in git's order of precedence. */
export function repositoryRules(repository: GitRepository, env: NodeJS.ProcessEnv = process.env): RepositoryRules {
  const home = env['HOME'] ?? homedir();
  const xdg = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const configs = env['GIT_CONFIG_GLOBAL'] === undefined
    ? ['/etc/gitconfig', join(xdg, 'git', 'config'), join(home, '.gitconfig')]
    : ['/etc/gitconfig', env['GIT_CONFIG_GLOBAL']];
  const settings = new Map<string, string>();
  for (const path of [...configs, join(repository.commonPath, 'config')]) {
    readCoreSettings(readPersonalFile(path) ?? '', settings);
  }
  const excludes = (settings.get('excludesfile') ?? join(xdg, 'git', 'ignore')).replace(/^~(?=\/)/, home);
  const texts = [
    readPersonalFile(resolve(repository.topPath, excludes)),
    readRuleFile(join(repository.commonPath, 'info', 'exclude'), 'followed'),
  ].filter((text) => text !== undefined);
  return { texts, ignoreCase: /^(true|yes|on|1)$/i.test(settings.get('ignorecase') ?? '') };
}

/** A file of the person rather than of the tree; one of somebody else's is as good as absent, as it is for git. */
function readPersonalFile(path: string): string | undefined {
  try {
    return readRuleFile(path, 'followed');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}

/** Adds the settings of every `[core]` section of a configuration text; later ones win. */
function readCoreSettings(text: string, settings: Map<string, string>): void {
  let inCore = false;
  for (const line of text.split('\n')) {
    const section = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (section !== undefined) inCore = section.trim().toLowerCase() === 'core';
    const setting = /^\s*(excludesfile|ignorecase)\s*=(.*)$/i.exec(line);
    if (!inCore || setting === null) continue;
    const value = setting[2]!.trim();
    const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(value)?.[1];
    settings.set(setting[1]!.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? value.replace(/\s*[#;].*$/, ''));
  }
}
