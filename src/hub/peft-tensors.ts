import { MeanfieldError } from '../base/errors.js';
import type { SafetensorsFile } from '../base/files/safetensors.js';
import { HEAD } from '../model/adapter.js';
import { someNames } from '../model/config-rules.js';

/** The tensors of an adapter's file, by the layer's name. */
export interface FoundTensors {
  readonly found: ReadonlyMap<string, { readonly a: string; readonly b: string }>;
  /** Of the layers' own matrices. */
  readonly copies: ReadonlyMap<string, string>;
  /** Of rows of tokens. */
  readonly rows: ReadonlyMap<string, string>;
  /** Of modules that were trained whole, by the parameter's name. */
  readonly saved: ReadonlyMap<string, string>;
}

// The adapter's own name stands in files that were not written by save_pretrained.
const MATRIX = /^(?:base_model\.model\.)?(.+)\.lora_(?:([AB])\.(?:default\.)?weight|embedding_([AB])(?:\.default)?)$/;
const ROWS = /^(?:base_model\.model\.)?(.+)\.token_adapter\.trainable_tokens_delta(?:\.default)?$/;
const COPY = /^(?:base_model\.model\.)?(.+)\.base_layer\.weight$/;
const WHOLE = /^(?:base_model\.model\.)?((.+?)(?:\.modules_to_save(?:\.default)?)?)\.(weight|bias)$/;

/**
 * The tensors of each layer, by the layer's name.
 *
 * @param settings whose `modules_to_save` has ends of the names of modules that were trained whole
 * @throws MeanfieldError for a tensor that is none of an adapter's
 */
export function matricesIn(
  file: Pick<SafetensorsFile, 'tensors' | 'path'>,
  { modules_to_save }: { readonly modules_to_save?: readonly string[] | null | undefined },
): FoundTensors {
  // The head comes with an embedding that it is one matrix with.
  const whole = modules_to_save?.length ? [...modules_to_save, HEAD] : [];
  const layers = new Map<string, { a?: string; b?: string }>();
  const copies = new Map<string, string>();
  const rows = new Map<string, string>();
  const saved = new Map<string, string>();
  const others: string[] = [];
  for (const tensor of file.tensors.keys()) {
    const [, name, linear, embedded] = MATRIX.exec(tensor) ?? [];
    const copy = COPY.exec(tensor)?.[1];
    const rowed = ROWS.exec(tensor)?.[1];
    if (copy !== undefined) copies.set(copy, tensor);
    else if (rowed !== undefined) rows.set(rowed, tensor);
    else if (name === undefined) {
      const [, , module, part] = WHOLE.exec(tensor) ?? [];
      if (module !== undefined && whole.some((end) => module.endsWith(end))) saved.set(`${module}.${part}`, tensor);
      else others.push(tensor);
    } else layers.set(name, { ...layers.get(name), [(linear ?? embedded) === 'A' ? 'a' : 'b']: tensor });
  }
  const halves = [...layers].filter(([, { a, b }]) => a === undefined || b === undefined).map(([name]) => name);
  if (others.length > 0)
    throw new MeanfieldError(`${file.path} holds more than matrices of LoRA: ${someNames(others)}.`);
  if (halves.length > 0)
    throw new MeanfieldError(`${file.path} is damaged: of ${someNames(halves)} one matrix of two is missing.`);
  return { found: layers as Map<string, { a: string; b: string }>, copies, rows, saved };
}
