/** Entries of a registry for tests that need no files behind them. */
import type { RegisteredModel } from '../../../actors/inference/models/registry-file.ts';

export function registeredModel(name: string, overrides: Partial<RegisteredModel> = {}): RegisteredModel {
  return {
    name, source: `/models/${name}.gguf`, path: `/models/${name}.gguf`, backend: 'llama', purposes: ['embed'], sha256: 'a'.repeat(64), sizeBytes: 6e9,
    dimensions: 64, contextLength: 512, copied: false, checked: 'header', addedAt: '2026-01-01T00:00:00.000Z', files: [{ name: '', sizeBytes: 6e9, mtimeMs: 1.5 }],
    ...overrides,
  };
}
