/**
 * What a process holds at one moment: threads, children, descriptors, shared memory, heaps after a collection,
 * resident memory. Linux tells all of it under /proc/self.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { ActorRef } from '../../kernel/index.ts';
import { collected, type gaugeProtocol } from './actors/gauge.ts';

export interface Resources {
  readonly threads: number;
  readonly processes: number;
  /** Without those in `binaryDescriptors`. */
  readonly descriptors: number;
  /** On Node's own executable: V8 opens it for a moment whenever it makes an isolate. */
  readonly binaryDescriptors: number;
  /** Mappings that other processes may share: files in memory, and unlinked ones. */
  readonly sharedMappings: number;
  /** What keeps the application's event loop going, by Node's count. */
  readonly activeResources: number;
  readonly applicationHeapBytes: number;
  readonly guardianHeapBytes: number;
  /** Held by both heaps, outside of them. */
  readonly externalBytes: number;
  readonly rssBytes: number;
}

export type Gauge = ActorRef<typeof gaugeProtocol.spec>;

// They are opened when they are first used, which would look like a leak of whatever ran then.
void process.stdout;
void process.stderr;

const MEASURE_MS = 60_000;
const SHARED_MAPPING = /memfd:|\/dev\/shm\/|\/SYSV|\(deleted\)/;

/** @param gauge of the guardian's thread; without it that thread counts as nothing */
export async function measureResources(gauge?: Gauge): Promise<Resources> {
  const guardian = (await gauge?.ask('measure', {}, { deadlineMs: MEASURE_MS })) ?? { heapUsed: 0, external: 0 };
  const application = await collected();
  const targets = descriptorTargets();
  const ofBinary = targets.filter((target) => target === process.execPath).length;
  return {
    threads: readdirSync('/proc/self/task').length,
    processes: descendants(process.pid).length,
    descriptors: targets.length - ofBinary,
    binaryDescriptors: ofBinary,
    sharedMappings: readFileSync('/proc/self/maps', 'utf8').split('\n').filter((line) => SHARED_MAPPING.test(line)).length,
    activeResources: process.getActiveResourcesInfo().length,
    applicationHeapBytes: application.heapUsed,
    guardianHeapBytes: guardian.heapUsed,
    externalBytes: application.external + guardian.external,
    rssBytes: process.memoryUsage.rss(),
  };
}

/** What the open descriptors of this process lead to. */
function descriptorTargets(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      // The one by which the list was read is closed again.
      return [];
    }
  });
}

/** Processes that this one has started and those that they have, zombies included: those were not waited for. */
function descendants(pid: number): number[] {
  let threads: readonly string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  const children = threads.flatMap((thread) => {
    try {
      return readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter((child) => child.trim() !== '').map(Number);
    } catch {
      return [];
    }
  });
  return children.flatMap((child) => [child, ...descendants(child)]);
}
