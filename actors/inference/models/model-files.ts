/** Which files a model consists of, and how they looked when its hash was taken. */
import { statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { modelError } from '../gguf/parser.ts';
import { checkOnnxModel, isOnnxModel } from '../onnx/model-folder.ts';
import type { FileMark, RegisteredModel } from './registry-file.ts';

/** A model on disk. */
export interface ModelFiles {
  /** What it is named by: one of the files, or their folder. */
  readonly path: string;
  /** The folder that all of them lie in. */
  readonly root: string;
  /** What this folder is to be called in a copy; empty if its name says nothing of the model. */
  readonly folderName: string;
  readonly files: readonly string[];
}

/** @throws SpillwayError the codes of `checkOnnxModel` */
export function modelFiles(path: string): ModelFiles {
  if (!isOnnxModel(path)) return { path, root: dirname(path), folderName: '', files: [path] };
  const { root, files } = checkOnnxModel(path);
  return { path, root, folderName: basename(root), files };
}

/** Looks at each file's size and time. @throws SpillwayError `model_unreadable` */
export function marksOf({ path, files }: ModelFiles): FileMark[] {
  return files.map((file) => {
    try {
      const { size, mtimeMs } = statSync(file);
      return { name: relative(path, file), sizeBytes: size, mtimeMs };
    } catch (cause) {
      throw modelError('model_unreadable', file, `cannot be examined (${(cause as Error).message})`, cause);
    }
  });
}

/** `touched`: size or time of a file are others, so its hash may be, too. */
export type Presence = 'present' | 'missing' | 'touched';

/** Looks at sizes and times only. */
export function presenceOf({ path, files }: Pick<RegisteredModel, 'path' | 'files'>): Presence {
  let touched = false;
  for (const { name, sizeBytes, mtimeMs } of files) {
    const found = statSync(join(path, name), { throwIfNoEntry: false });
    if (found === undefined) return 'missing';
    touched ||= found.size !== sizeBytes || found.mtimeMs !== mtimeMs;
  }
  return touched ? 'touched' : 'present';
}
