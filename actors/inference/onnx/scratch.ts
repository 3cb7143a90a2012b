import { inspectOnnxFile } from './onnx-file.ts';
for (const p of ['/tmp/spillway-minilm-onnx-fp32-20250101/onnx/model.onnx','/tmp/spillway-minilm-onnx-int8-20250101/onnx/model_quantized.onnx','/tmp/onnx-task/tiny/onnx/model.onnx']) { console.time('x'); console.dir(inspectOnnxFile(p),{depth:5}); console.timeEnd('x'); }
