/**
 * A model in a browser: in a page or, better, in a worker, as its work blocks the thread that it is done on. ONNX Runtime is the
 * package `onnxruntime-web`, which stands beside this one.
 *
 * @module
 */
export { MeanfieldError, UsageError } from './base/errors.js';
export type { Generation, GenerationResult } from './inference/generation.js';
export type { GenerateOptions } from './inference/options.js';
export type { WeightPrecision } from './inference/precision.js';
export type { WebModelFiles } from './inference/web/model-source.js';
export { load, type WebLoadOptions, type WebModel } from './inference/web/web-model.js';
