export { Decoder, type DecoderOptions } from './decoder.js';
export type { Generation, GenerationResult } from './generation.js';
export { Generator, type GeneratorOptions } from './generator.js';
export type { GenerateOptions } from './options.js';
