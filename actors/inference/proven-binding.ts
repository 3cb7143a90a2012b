/**
 * Stands in for node-llama-cpp's own test of its binary: runs that test once for a binary and a machine, and remembers that it
 * passed; see binding-test.ts. What failed is not remembered.
 */
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../kernel/index.ts';
import { OWN_TEST } from './binding-test.ts';

type BindingTest = (binaryPath: string, ...more: unknown[]) => Promise<boolean>;

export const testBindingBinary: BindingTest = async (binaryPath, ...more) => {
  const proofPath = proofPathOf(binaryPath);
  if (existsSync(proofPath)) return true;
  const { testBindingBinary: ownTest } = (await import(new URL(import.meta.url).searchParams.get(OWN_TEST)!)) as { testBindingBinary: BindingTest };
  const hasPassed = await ownTest(binaryPath, ...more);
  if (hasPassed) remember(proofPath);
  return hasPassed;
};

/** Another path for another build of the binary, and for whatever of the machine may decide whether it runs. */
function proofPathOf(binaryPath: string): string {
  const { size, mtimeMs } = statSync(binaryPath);
  const identity = [binaryPath, size, mtimeMs, process.versions.modules, release(), cpus()[0]?.model];
  return join(cacheFolder(), 'bindings', hash('sha256', JSON.stringify(identity)));
}

function remember(proofPath: string): void {
  try {
    mkdirSync(join(proofPath, '..'), { recursive: true });
    writeFileSync(proofPath, '');
  } catch {
    // A folder that is full or read-only: the next start tests again.
  }
}
