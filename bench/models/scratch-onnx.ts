import { miniLmOnnx, tinyOnnx } from './onnx-minilm.ts';
import { mkdirSync } from 'node:fs';
console.time('fp32'); console.log(miniLmOnnx({type:'fp32'})); console.timeEnd('fp32');
console.time('int8'); console.log(miniLmOnnx({type:'int8'})); console.timeEnd('int8');
mkdirSync('/tmp/onnx-task/tiny',{recursive:true});
console.time('tiny'); console.log(tinyOnnx('/tmp/onnx-task/tiny')); console.timeEnd('tiny');
