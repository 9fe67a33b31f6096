/** For the rooms below, which do not see `engine/` itself, and for browsers, which have none of Node's engines. */
export type { CompileOptions, Engine } from '../engine/engine.js';
