import type { OptionDefinition } from '../base/option-table.js';
import { type ExportDtype, FORMATS, type FormatName } from './formats.js';

/** An option of exports. */
export interface ExportOption extends OptionDefinition {
  /** The forms that it is for; all where it is left out. */
  readonly formats?: readonly FormatName[];
}

const names = Object.keys(FORMATS) as FormatName[];
const dtypes = [...new Set<ExportDtype>(Object.values(FORMATS).flatMap((format) => format.dtypes))];

/** What `export` takes beside a model. */
export const EXPORT_OPTIONS = {
  /** The form: `hf`, `onnx`, `peft`, `st` or `gguf`. */
  to: {
    kind: 'choice',
    choices: names,
    value: 'form',
    help: names.map((name) => `${name}: ${FORMATS[name].what}`).join('; '),
  },
  /** Numbers of the weights. Default `fp32`, of GGUF `f32`. */
  dtype: { kind: 'choice', choices: dtypes, value: 'type', help: 'numbers of the weights', otherwise: 'fp32, or f32' },
  /** Further numbers of weights, each in a file beside the first. */
  also: {
    kind: 'texts',
    value: 'type',
    formats: ['onnx'],
    help: 'onnx: further numbers of the weights, each in a file of its own beside; may be given again',
  },
  /** Where it is written. Default: the model's name and the form, in the folder at hand. */
  out: { kind: 'text', value: 'path', help: 'where it is written', otherwise: "the model's name and the form" },
  /** The largest file of weights, in GB; more becomes several. Default 5. */
  shardSize: {
    kind: 'positive',
    value: 'GB',
    default: 5,
    formats: ['hf', 'onnx', 'st'],
    help: 'hf, onnx, st: largest file of weights, in GB; more becomes several',
  },
  /** The name by which the adapter's base is found. Default: the one that it was trained from. */
  base: {
    kind: 'text',
    value: 'model',
    formats: ['peft'],
    help: "peft: name of the adapter's base, such as org/name",
    otherwise: 'as it was trained from',
  },
} as const satisfies Readonly<Record<string, ExportOption>>;
