/** A disk that is full all at once, and has room again later: a small one of the drill's own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpillwayError, systemClock } from '../../kernel/index.ts';
import { DrillAttempts, EMPTY_TALLY, createSystem, drillCheck, type Drill, type DrillRecord, type DrillRun } from '../../supervisors/index.ts';
import { storageProtocol, storageSpec } from '../storage/index.ts';
import { begin, put, stored } from './numbered-files.ts';

const STORAGE = 'storage';
const DISK_MB = 24;
/** Before the disk is full, and after it has room again. */
const FILES_BEFORE = 8;
const FILES_AFTER = 5;
/** What is free of the log is used first; then there is no more. */
const FILES_MAX = 200;

export const diskFullDrill: Drill = {
  name: 'disk-full',
  hypothesis: 'A full disk is said to be one: nothing is acknowledged that is not stored, and the same actor goes on as soon as there is room.',
  blastRadius: 'A small disk in memory that is mounted for the drill below the folder for temporary files, and a system of its own.',
  abortAfterMs: 30_000,
  placements: ['thread'],
  waits: { backoffMs: 0 },
  intensity: { restarts: 3, periodMs: 5_000 },
  restartsExpected: 0,
  unavailable: () => withFolder((folder) => (canMount(folder) ? undefined : 'mounting a small disk takes Linux and the right to mount; run it as root, in a container or a virtual machine.')),
  hold: (run) =>
    withFolder(async (folder) => {
      mount(folder, `size=${DISK_MB}m`);
      try {
        return await holdOn(folder, run);
      } finally {
        execFileSync('umount', ['-l', folder]);
      }
    }),
};

async function holdOn(disk: string, run: DrillRun): Promise<DrillRecord> {
  const system = await createSystem({ logLevel: 'error' });
  try {
    const storage = await system.spawn(storageSpec(STORAGE, { dir: join(disk, 'index') }), storageProtocol);
    await begin(storage);
    const attempts = new DrillAttempts(FILES_MAX + FILES_BEFORE + FILES_AFTER);
    const store = async (): Promise<string | undefined> => {
      if (run.signal.aborted) throw new SpillwayError('drill_aborted', 'The abort rule fired while files were stored.');
      const number = attempts.begin()!;
      try {
        await put(storage, number);
        attempts.end(number, 'acknowledged');
        return undefined;
      } catch (error) {
        if (!(error instanceof SpillwayError)) throw error;
        // A transaction that failed was taken back whole, so this one is known not to be there.
        attempts.end(number, error.code === 'storage_full' ? 'refused' : 'indeterminate', error.code);
        return error.code;
      }
    };
    for (let count = 0; count < FILES_BEFORE; count++) await store();
    const faultMs = systemClock.monotonicMs();
    let code: string | undefined;
    let detectedMs = faultMs;
    if (run.withFault) {
      mount(disk, `remount,size=${usedBytes(disk)}`);
      for (let count = 0; count < FILES_MAX && code === undefined; count++) code = await store();
      detectedMs = systemClock.monotonicMs();
      mount(disk, `remount,size=${DISK_MB}m`);
    }
    const again = await store();
    const readyMs = systemClock.monotonicMs();
    for (let count = 1; count < FILES_AFTER; count++) await store();
    const { restarts } = system.thread(STORAGE);
    const data = attempts.tally(await stored(storage, attempts.count), 0, false);
    const { incompleteFiles } = await storage.ask('publish', {}, { deadlineMs: 30_000 });
    const expectedCode = run.withFault ? 'storage_full' : undefined;
    return {
      timeline: run.withFault ? { detectedMs: detectedMs - faultMs, readyMs: readyMs - faultMs } : {},
      lanes: { control: EMPTY_TALLY, data, telemetry: EMPTY_TALLY },
      restarts,
      checks: [
        drillCheck('a full disk is said to be full', code === expectedCode, code ?? 'nothing was said'),
        drillCheck('it goes on once there is room', again === undefined, again ?? ''),
        drillCheck('no acknowledged message is lost', data.lost === 0, data.lost),
        drillCheck('nothing is stored that was said not to be', data.unexpected === 0, data.unexpected),
        drillCheck('no file is stored in part', incompleteFiles === 0, incompleteFiles),
        drillCheck('restarted as often as the fault demands', restarts === 0, restarts),
      ],
    };
  } finally {
    await system.close();
  }
}

function withFolder<T>(act: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-drill-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  let result: T;
  try {
    result = act(folder);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

function mount(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
}

function canMount(folder: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    mount(folder, 'size=1m');
  } catch {
    return false;
  }
  execFileSync('umount', [folder]);
  return true;
}

function usedBytes(disk: string): number {
  const { blocks, bfree, bsize } = statfsSync(disk);
  return (blocks - bfree) * bsize;
}
