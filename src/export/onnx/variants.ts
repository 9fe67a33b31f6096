import type { ExportDtype } from '../formats.js';
import { toHalfPrecision } from './float16.js';
import { quantizeInt4 } from './int4.js';
import { quantizeInt8 } from './int8.js';
import type { OnnxFile } from './onnx-file.js';

/** One of the files of a model that transformers.js chooses between. */
interface Variant {
  /** Between `model` and `.onnx`. */
  readonly suffix: string;
  /** What is done with the file in single precision, in order. */
  readonly passes: readonly ((file: OnnxFile) => void)[];
  /** Whether it has numbers of half precision. */
  readonly half: boolean;
}

/** By what transformers.js calls them (its `utils/dtypes.js`). */
const VARIANTS: Readonly<Partial<Record<ExportDtype, Variant>>> = {
  fp32: { suffix: '', passes: [], half: false },
  fp16: { suffix: '_fp16', passes: [toHalfPrecision], half: true },
  q8: { suffix: '_quantized', passes: [quantizeInt8], half: false },
  q4: { suffix: '_q4', passes: [quantizeInt4], half: false },
  q4f16: { suffix: '_q4f16', passes: [quantizeInt4, toHalfPrecision], half: true },
};

export const variantOf = (dtype: ExportDtype): Variant => VARIANTS[dtype]!;

/** What transformers.js takes where it is told nothing: in a browser without WebGPU, and elsewhere. */
const DEFAULTS = ['q8', 'fp32'] as const;

/** What it should take instead, where a folder has not both of these. */
export function preferred(dtypes: readonly ExportDtype[]): ExportDtype | undefined {
  if (DEFAULTS.every((each) => dtypes.includes(each))) return undefined;
  return DEFAULTS.find((each) => dtypes.includes(each)) ?? dtypes[0];
}
