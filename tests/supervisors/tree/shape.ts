/** A random tree: supervisors of all strategies with six children each, some of them supervisors again. */
import type { Random } from '../../../kernel/index.ts';
import type { AnyChildSpec, AutoShutdown, ChildSpec, Strategy, SupervisorChildSpec, SupervisorFlags, SupervisorSetup } from '../../../supervisors/child-spec.ts';

export interface Shape {
  readonly setup: SupervisorSetup;
  /** All that may ever be a child, by name. */
  readonly specs: ReadonlyMap<string, AnyChildSpec>;
  readonly leaves: readonly string[];
  readonly supervisors: readonly string[];
}

const BREADTH = 6;
/** Of one kind, which a supervisor with simple_one_for_one may have. */
const DYNAMIC = 6;
/** The root takes more than others, or the tree would be a new one every now and then. */
const ROOT_INTENSITY = 12;

interface Draft {
  readonly path: string;
  readonly depth: number;
}

/** @param supervisors how many there are, the root included; each has six children */
export function randomShape(random: Random, supervisors: number): Shape {
  const specs = new Map<string, AnyChildSpec>();
  const leaves: string[] = [];
  const names: string[] = [];
  // Which children are supervisors is chosen first, level by level.
  const drafts: Draft[] = [{ path: '', depth: 0 }];
  const below = new Map<string, string[]>();
  for (let made = 1, next = 0; made < supervisors; next = (next + 1) % drafts.length) {
    const parent = drafts[next]!;
    const ids = below.get(parent.path) ?? [];
    const wanted = Math.min(supervisors - made, random.int(4));
    for (let count = 0; count < wanted && ids.length < BREADTH; count++, made++) {
      const id = `s${ids.length}`;
      ids.push(id);
      drafts.push({ path: nameOf(parent.path, id), depth: parent.depth + 1 });
    }
    below.set(parent.path, ids);
  }
  const setupOf = (path: string): SupervisorSetup => {
    const ids = below.get(path) ?? [];
    const flags = randomFlags(random, ids.length === 0 && path !== '');
    if (path === '') Object.assign(flags, { intensity: ROOT_INTENSITY, autoShutdown: 'never' });
    if (flags.strategy === 'simple_one_for_one') {
      const template = randomLeaf(random, 'kind', flags);
      for (let count = 0; count < DYNAMIC; count++) {
        const name = nameOf(path, `d${count}`);
        leaves.push(name);
        specs.set(name, { ...template, id: `d${count}` });
      }
      return { flags, children: [template] };
    }
    const children: AnyChildSpec[] = [];
    // Supervisors stand at random places among the others.
    const places = new Set<number>();
    while (places.size < ids.length) places.add(random.int(BREADTH));
    let given = 0;
    for (let index = 0; index < BREADTH; index++) {
      const spec = places.has(index) ? randomSupervisor(random, ids[given++]!, path, flags, setupOf) : randomLeaf(random, `w${index}`, flags);
      children.push(spec);
      const name = nameOf(path, spec.id);
      specs.set(name, spec);
      (spec.type === 'supervisor' ? names : leaves).push(name);
    }
    return { flags, children };
  };
  return { setup: setupOf(''), specs, leaves, supervisors: names };
}

function randomSupervisor(random: Random, id: string, path: string, flags: SupervisorFlags, setupOf: (path: string) => SupervisorSetup): SupervisorChildSpec {
  const any = randomChild(random, flags, 0.8);
  return { ...any, id, type: 'supervisor', ...setupOf(nameOf(path, id)) };
}

function randomLeaf(random: Random, id: string, flags: SupervisorFlags): ChildSpec {
  const args = { startMs: oneIn(random, 2) ? 0 : random.int(6), stopMs: oneIn(random, 2) ? 0 : random.int(30) };
  const any = randomChild(random, flags, 0.5);
  return { ...any, id, start: { module: 'leaf', export: 'leaf', args }, startMs: 10 + random.int(30) };
}

function randomChild(random: Random, flags: SupervisorFlags, permanentPart: number) {
  const restart = random.next() < permanentPart ? 'permanent' : oneIn(random, 2) ? 'transient' : 'temporary';
  const isSignificant = restart !== 'permanent' && flags.autoShutdown !== 'never' && oneIn(random, 2);
  const end = oneIn(random, 8) ? { brutalKill: true } : oneIn(random, 3) ? { shutdownMs: 1 + random.int(20) } : {};
  return { restart, ...(isSignificant ? { significant: true } : {}), ...end, ...(oneIn(random, 8) ? { backoff: { jitter: 0 } } : {}) } as const;
}

function randomFlags(random: Random, mayBeDynamic: boolean): SupervisorFlags {
  const strategies: Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one', ...(mayBeDynamic ? (['simple_one_for_one'] as const) : [])];
  const shutdowns: AutoShutdown[] = ['never', 'never', 'any_significant', 'all_significant'];
  const minMs = oneIn(random, 3) ? 0 : 1 + random.int(20);
  return {
    strategy: strategies[random.int(strategies.length)]!,
    intensity: random.int(6),
    periodMs: 1 + random.int(oneIn(random, 2) ? 100 : 5_000),
    backoff: { minMs, maxMs: minMs * (1 + random.int(16)), jitter: oneIn(random, 2) ? 0 : 0.5, ...(oneIn(random, 3) ? { resetMs: 1 + random.int(500) } : {}) },
    autoShutdown: shutdowns[random.int(shutdowns.length)]!,
  };
}

export function nameOf(path: string, id: string): string {
  return path === '' ? id : `${path}/${id}`;
}

export function pathOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

export function oneIn(random: Random, count: number): boolean {
  return random.int(count) === 0;
}
