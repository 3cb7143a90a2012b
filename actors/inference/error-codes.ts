/**
 * The error codes of model files and embedding backends, each with what it means and what to do.
 *
 * The codes that begin with `model_` come from the header check and from the search for a model,
 * before native code has seen the file; those that begin with `backend_` come from the library
 * that runs the model; `text_refused` is about a text, not about the model.
 */
export const INFERENCE_ERRORS = {
  model_missing: 'There is no file at the path of the model. Check the path, or name a model with --model.',
  model_unreadable: 'The model file cannot be read, or is not a regular file. Check its permissions and the path.',
  model_not_gguf: 'The file does not begin like a GGUF file of a version this program reads. Convert the model to GGUF version 2 or 3.',
  model_not_onnx: 'The file does not begin like an ONNX model. Export the model to ONNX, or name the .onnx file or the folder it lies in.',
  model_truncated: 'The model file ends before its header says it does. Download or copy it again.',
  model_malformed: 'The header of the model file contradicts itself or its architecture. Download or convert it again.',
  model_unsupported: 'The model is well formed, but cannot do here what it was loaded for. Choose a model made for that.',
  model_too_complex: 'The header of the model file is larger than the limits of the header check. Choose another model.',
  model_changed: 'The files of the model changed while they were read, or are others than those that were added under this name. Put the former ones back, or add it again.',
  model_write_failed: 'A model file could not be written. Check the free space and the permissions of its folder.',
  model_source_invalid: 'The model is neither a path nor an hf: URI of the form hf:user/repo[:quant] or hf:user/repo/file.gguf.',
  model_download_failed: 'The model could not be downloaded. Check the connection and the name, or give the path of a file.',
  model_offline: 'The model has not been downloaded yet, and downloads are off. Give the path of a file, or allow the download once.',
  model_download_corrupt: 'What was downloaded is not what the hub says the file is; it was removed. Try again, or download it elsewhere.',
  model_download_cancelled: 'The download of the model was cancelled. Run again to continue it.',
  model_unknown: 'No model has been added under this name, or there is no default for the purpose. The message lists the names.',
  model_name_invalid: 'A model cannot be called so: letters, digits, "-" and "_", and dots before digits only. Choose another name.',
  model_name_taken: 'Another model has been added under this name. Choose another name, or remove that one first.',
  model_no_former: 'There is no former default model to go back to. Choose one with `spillway models use`.',
  registry_broken: 'The file of the model registry cannot be understood. Put a former copy in its place, or remove it and add the models again.',
  registry_busy: 'Another process has kept the model registry from being changed for too long. Try again when it has ended.',
  registry_unwritable: 'The model registry, or a copy of a model, could not be written. Check the permissions and the free space of the cache folder.',
  registry_full: 'The registry has as many models as it keeps. Remove one first.',
  pooling_unsupported: 'The model cannot pool its token vectors as asked. Leave the option away, or choose a backend or a model that can.',
  prompt_empty: 'The prompt is empty or blank, or the model sees no tokens in it. Give text to go on from.',
  prompt_not_unicode: 'The prompt has a lone surrogate or is not UTF-8, so a part of it is lost. Read or convert it again.',
  prompt_too_long: 'The prompt has more tokens than the context, or more bytes than are tokenized. Shorten it, or make the generator with more contextTokens.',
  schema_invalid: 'The JSON schema is none, or has what a text cannot be held to; `details` has the place. Change it there.',
  generation_invalid: 'An option of a text to be generated is out of its range; `details` names it. Correct it.',
  generation_overloaded: 'All sequences are taken and as many requests wait as may. Try again after `details.retryAfterMs`, or allow more.',
  generation_failed: 'The native library failed while it generated a text; other texts go on. Try again, and if it goes on, choose another model.',
  text_refused: 'A text cannot be embedded as it is: empty, too long, or without a vector; `details` has its index and status.',
  backend_unavailable: 'The native library of the backend could not be loaded on this machine. Reinstall the package for this platform.',
  backend_load_failed: 'The native library refused the model. Choose another model, or convert it again.',
  backend_self_test_failed: 'The model loaded, but its first vector is empty, zero or not finite. Choose another model.',
} as const;

export type InferenceErrorCode = keyof typeof INFERENCE_ERRORS;
