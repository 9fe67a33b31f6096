/** A form that a model can be exported to. */
interface FormatDefinition {
  /** What is written: a line of the help. */
  readonly what: string;
  /** Numbers that weights can be written in; the first unless another is asked for. */
  readonly dtypes: readonly string[];
  /** What becomes of an adapter: it is `merged` with its base first, or written `alone`, and nothing but an adapter can be. */
  readonly adapter: 'merged' | 'alone';
  /** How the file's name ends, where one file is written; else a folder. */
  readonly ending?: `.${string}`;
}

/** The forms by what `--to` calls them; `writers.ts` has what writes each. */
export const FORMATS = {
  hf: {
    what: "a folder in Hugging Face's layout",
    dtypes: ['fp32', 'bf16', 'fp16'],
    adapter: 'merged',
  },
  onnx: {
    what: 'a folder for transformers.js and ONNX Runtime',
    dtypes: ['fp32', 'fp16', 'q8', 'q4', 'q4f16'],
    adapter: 'merged',
  },
  peft: {
    what: "an adapter's folder in PEFT's layout",
    dtypes: ['fp32', 'bf16', 'fp16'],
    adapter: 'alone',
  },
  st: {
    what: 'a folder of sentence-transformers',
    dtypes: ['fp32', 'bf16', 'fp16'],
    adapter: 'merged',
  },
  gguf: {
    what: 'a GGUF file of llama.cpp',
    dtypes: ['f32', 'f16', 'bf16', 'q8_0', 'q4_0'],
    adapter: 'merged',
    ending: '.gguf',
  },
} as const satisfies Readonly<Record<string, FormatDefinition>>;

export type FormatName = keyof typeof FORMATS;

/** Numbers that some form can be written in. */
export type ExportDtype = (typeof FORMATS)[FormatName]['dtypes'][number];

/** A form, as code sees it that serves all. */
export const formatOf = (name: FormatName): FormatDefinition => FORMATS[name];
