import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyOnnx } from '../../bench/models/onnx-minilm.ts';

describe('onnxruntime', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'spillway-telemetry-'));
  beforeAll(() => void tinyOnnx(join(scratch, 'model')));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function traces(home: string, env: Record<string, string>): Promise<string[]> {
    mkdirSync(join(scratch, home));
    const { PATH = '' } = process.env;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=spillway-src', fileURLToPath(new URL('./onnx-telemetry-child.ts', import.meta.url)), join(scratch, 'model'), join(scratch, 'cache')],
      { env: { PATH, HOME: join(scratch, home), ...env } },
    );
    expect(Number(stdout)).toBeGreaterThan(0);
    return readdirSync(join(scratch, home), { recursive: true }).map(String).filter((path) => /microsoft|onnx|device/i.test(path));
  }

  it('leaves no identifier of the device and reports nothing', async () => {
    expect(await traces('quiet', {})).toEqual([]);
  });

  it('would do so otherwise, so that the test above means something', async () => {
    expect(await traces('loud', { ORT_DISABLE_TELEMETRY: '0' })).not.toEqual([]);
  });
});
