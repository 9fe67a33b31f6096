export { type Codec, createCodec } from './codec.js';
export { encodedBytes } from './format.js';
