/** One `spillway embed` as a process of its own, for benches: its counts and its peak of memory. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../actors/console/launch.mjs', import.meta.url));
const LOOK_MS = 50;

export interface EmbedRun {
  readonly files: number;
  readonly chunks: number;
  readonly embedded: number;
  readonly removed: number;
  /** From its start to its end, the start of Node included. */
  readonly seconds: number;
  /** The most that was resident at once, mapped files included. */
  readonly peakRssMb: number;
  /** Of it, when looked at last before the end: what is the process's own, and what are mapped files. */
  readonly anonymousMb: number;
  readonly mappedMb: number;
}

export async function runEmbed(folder: string, index: string, ...flags: string[]): Promise<EmbedRun> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--conditions=spillway-src', LAUNCHER, 'embed', folder, '--index', index, '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const memory = { peakRssMb: 0, anonymousMb: 0, mappedMb: 0 };
  const watch = setInterval(() => {
    const { VmHWM = 0, RssAnon = 0, RssFile = 0 } = memoryOf(child.pid!);
    memory.peakRssMb = Math.max(memory.peakRssMb, VmHWM / 1_024);
    memory.anonymousMb = Math.max(memory.anonymousMb, RssAnon / 1_024);
    memory.mappedMb = Math.max(memory.mappedMb, RssFile / 1_024);
  }, LOOK_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(watch);
  const seconds = (performance.now() - started) / 1_000;
  if (code !== 0) throw new Error(`spillway embed ended with ${code}: ${stdout}`);
  const { files, chunks, embedded, removed } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, number>;
  return { files: files!, chunks: chunks!, embedded: embedded!, removed: removed!, seconds, ...memory };
}

/** In KiB, as Linux and macOS tell it; macOS has the current size only. */
function memoryOf(pid: number): Partial<Record<'VmHWM' | 'RssAnon' | 'RssFile', number>> {
  try {
    if (process.platform !== 'linux') return { VmHWM: Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) };
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Object.fromEntries([...status.matchAll(/^(VmHWM|RssAnon|RssFile):\s+(\d+) kB$/gm)].map(([, name, size]) => [name, Number(size)]));
  } catch {
    // It has ended between two looks.
    return {};
  }
}
