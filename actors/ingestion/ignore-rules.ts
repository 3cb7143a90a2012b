/**
 * Git's ignore rules for one place in a tree: a stack with a level per rule file.
 *
 * The `ignore` package decides one file of patterns exactly as git does, but it knows nothing of
 * nested files. Here the levels are asked from the innermost outwards and the first that has an
 * opinion decides, as git's `last_matching_pattern_from_lists` does. A stack is immutable: a folder
 * with a `.gitignore` of its own pushes a level for its subtree only.
 *
 * Two properties of the package shape this file:
 * - A path below an ignored folder is ignored for it, whatever an inner file re-included. When an
 *   inner level wins against an outer one for a folder, the outer level is therefore told so
 *   (`enter`).
 * - It remembers every path it was asked about. A level that was asked often is replaced by a copy
 *   that shares the compiled patterns and has forgotten the paths; else memory would grow with the
 *   number of files.
 *
 * Known limit, as in every tool of this kind: the index of git is not read, so a file that is
 * ignored but tracked is treated as ignored.
 */
import ignore from 'ignore';
import type { Ignore } from 'ignore';

/** How many paths one level may remember. */
const REMEMBERED_PATHS_MAX = 2048;

class RuleLevel {
  /** The folder of the rule file relative to the base of the stack, '' or with a closing '/'. */
  readonly folder: string;
  readonly #ignoreCase: boolean;
  #rules: Ignore;
  #asked = 0;

  constructor(folder: string, rules: Ignore, ignoreCase: boolean) {
    this.folder = folder;
    this.#rules = rules;
    this.#ignoreCase = ignoreCase;
  }

  /** What this level alone says of `path` (relative to the base of the stack). */
  verdict(path: string): 'ignored' | 'included' | 'undecided' {
    this.#asked += 1;
    if (this.#asked > REMEMBERED_PATHS_MAX) {
      this.#rules = this.#copy();
      this.#asked = 1;
    }
    const { ignored, unignored } = this.#rules.test(path.slice(this.folder.length));
    if (ignored) return 'ignored';
    return unignored ? 'included' : 'undecided';
  }

  /** This level, knowing that the folder `path` is not ignored after all. */
  including(path: string): RuleLevel {
    const literal = path.slice(this.folder.length).replace(/[\\*?[\] ]/g, '\\$&');
    return new RuleLevel(this.folder, this.#copy().add({ pattern: `!/${literal}` }), this.#ignoreCase);
  }

  #copy(): Ignore {
    return ignore({ ignorecase: this.#ignoreCase }).add(this.#rules);
  }
}

export class IgnoreRules {
  /** The levels, the innermost last. */
  readonly #levels: readonly RuleLevel[];
  readonly #ignoreCase: boolean;

  private constructor(levels: readonly RuleLevel[], ignoreCase: boolean) {
    this.#levels = levels;
    this.#ignoreCase = ignoreCase;
  }

  /** A stack without any rule. `ignoreCase` is git's `core.ignoreCase`. */
  static empty(ignoreCase = false): IgnoreRules {
    return new IgnoreRules([], ignoreCase);
  }

  /**
   * The stack with the rules of one more file on top.
   *
   * @param folder the file's folder relative to the base, '' for the base itself, else ending in '/'
   * @param text the file's content
   */
  with(folder: string, text: string): IgnoreRules {
    const rules = ignore({ ignorecase: this.#ignoreCase }).add(text);
    return new IgnoreRules([...this.#levels, new RuleLevel(folder, rules, this.#ignoreCase)], this.#ignoreCase);
  }

  /**
   * Whether git would ignore `path`: relative to the base, '/' between names, and with a closing
   * '/' when it is a folder. The folders above it must have been entered, hence not be ignored.
   */
  ignores(path: string): boolean {
    for (let index = this.#levels.length - 1; index >= 0; index -= 1) {
      const verdict = this.#levels[index]!.verdict(path);
      if (verdict !== 'undecided') return verdict === 'ignored';
    }
    return false;
  }

  /** The stack for the inside of the folder `path` (closing '/'), which `ignores` has let through. */
  enter(path: string): IgnoreRules {
    if (!this.#levels.some((level) => level.verdict(path) === 'ignored')) return this;
    const levels = this.#levels.map((level) => (level.verdict(path) === 'ignored' ? level.including(path) : level));
    return new IgnoreRules(levels, this.#ignoreCase);
  }
}
