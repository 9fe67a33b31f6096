import type { ExportWriter } from './format.js';
import type { FormatName } from './formats.js';

/** What writes each form, loaded when it is needed. */
export const WRITERS: Readonly<Record<FormatName, () => Promise<ExportWriter>>> = {
  hf: async () => (await import('./write-hugging-face.js')).writeHuggingFace,
  onnx: async () => (await import('./write-onnx.js')).writeOnnx,
  peft: async () => (await import('./write-peft.js')).writePeft,
  st: async () => (await import('./write-sentence.js')).writeSentence,
  gguf: async () => (await import('./write-gguf.js')).writeGguf,
};
