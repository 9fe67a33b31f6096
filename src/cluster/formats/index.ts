export { type Codec, createCodec } from './codec.js';
export { FORMATS, type Format } from './format.js';
