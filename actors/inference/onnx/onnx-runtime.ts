/** The library that runs ONNX models, which is only there when the user has installed it. */
import { SpillwayError } from '../../../kernel/index.ts';

export type OnnxRuntime = typeof import('onnxruntime-node');

/**
 * Loads onnxruntime-node. It is an optional peer dependency: 100 MB that nobody needs who runs GGUF models.
 *
 * @param importRuntime how it is imported; tests put another in its place
 * @throws SpillwayError `backend_unavailable`
 */
export async function loadOnnxRuntime(importRuntime: () => Promise<OnnxRuntime> = () => import('onnxruntime-node')): Promise<OnnxRuntime> {
  try {
    return await importRuntime();
  } catch (cause) {
    throw new SpillwayError(
      'backend_unavailable',
      `onnxruntime-node could not be loaded for ${process.platform}-${process.arch} (${(cause as Error).message.split('\n')[0]!}); ONNX models need it: npm i onnxruntime-node`,
      { cause },
    );
  }
}
