export { type Codec, createCodec } from './codec.js';
export { encodedBytes, FORMATS, type Format } from './format.js';
