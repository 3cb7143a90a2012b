/** Folders of text files that follow from a seed, and what an index holds of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SpillwayError } from '../../kernel/index.ts';
import { openSqliteReader } from '../../actors/storage/sqlite-reader.ts';

const WORDS = `anchor basin canyon delta ember fjord glacier harbour island jungle kelp lagoon meadow north ocean prairie
quarry river summit tundra upland valley willow yonder zephyr amber bridge castle dune estuary forest gravel heather inlet
juniper knoll ledge marsh notch orchard pebble quill ridge shore thicket umbra vista waterfall`.split(/\s+/);

/** A repeatable source of numbers in [0, 1): mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sentence(random: () => number): string {
  const words = Array.from({ length: 6 + Math.floor(random() * 8) }, () => WORDS[Math.floor(random() * WORDS.length)]!);
  return `${words.join(' ')}.`;
}

/** Markdown, or TypeScript for every third file. The same arguments give the same bytes. */
export function sampleText(number: number, version = 0): string {
  const random = randomFrom(number * 1_009 + version * 7_919 + 1);
  const paragraph = (): string => Array.from({ length: 3 }, () => sentence(random)).join(' ');
  if (number % 3 === 0) {
    return `/** ${sentence(random)} */\nexport function item${number}v${version}(): string {\n  return '${sentence(random)}';\n}\n`;
  }
  const parts = Array.from({ length: 1 + (number % 3) }, (_, part) => `## Part ${part} of ${number}\n\n${paragraph()}\n`);
  return `# Item ${number}, version ${version}\n\n${paragraph()}\n\n${parts.join('\n')}`;
}

export function samplePath(number: number): string {
  return `folder-${number % 7}/item-${String(number).padStart(4, '0')}${number % 3 === 0 ? '.ts' : '.md'}`;
}

/** @returns the paths, relative to `folder` */
export function writeSampleFolder(folder: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => writeSample(folder, number));
}

export function writeSample(folder: string, number: number, version = 0): string {
  const path = samplePath(number);
  writeText(folder, path, sampleText(number, version));
  return path;
}

export function writeText(folder: string, path: string, text: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/**
 * All that readers of an index see, in a comparable order, with two scores that stand for the vector:
 * equal lists mean equal indexes. For at most 1,000 chunks.
 */
export function indexRows(dir: string): string[] {
  const reader = openSqliteReader(dir);
  try {
    const { dimensions } = reader.status().model;
    const rows = new Map<string, string>();
    for (const axis of [0, dimensions - 1]) {
      const direction = new Float32Array(dimensions);
      direction[axis] = 1;
      for (const { score, ...chunk } of reader.search(direction, 1_000)) {
        const key = `${chunk.path}#${chunk.ordinal}`;
        rows.set(key, `${rows.get(key) ?? JSON.stringify(chunk)} ${score.toFixed(5)}`);
      }
    }
    return [...rows.values()].sort();
  } finally {
    reader.close();
  }
}

/** Chunks that an unfinished run has stored for good; 0 while there is no index. */
function storedChunks(dir: string): number {
  try {
    const reader = openSqliteReader(dir);
    try {
      return reader.status().building?.chunks ?? 0;
    } finally {
      reader.close();
    }
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'index_missing') return 0;
    throw error;
  }
}

const LOOK_MS = 5;

/** Waits until a run has stored so many chunks, or has ended. */
export async function untilStored(dir: string, chunks: number, run: { readonly ended: Promise<unknown> }): Promise<void> {
  let over = false;
  void run.ended.then(() => (over = true));
  while (!over && storedChunks(dir) < chunks) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** What is wrong with the index, in sentences. */
export function indexProblems(dir: string): string[] {
  const reader = openSqliteReader(dir);
  try {
    return reader.integrityCheck();
  } finally {
    reader.close();
  }
}
