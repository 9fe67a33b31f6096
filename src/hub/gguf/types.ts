import types from './types.json' with { type: 'json' };

/** A type of tensor in a GGUF file, as `ggml.h` names it. */
export type GgmlType = keyof typeof types;

/** How a type lies in a file: `block` elements of a row together in so many `bytes`. */
export interface TypeLayout {
  /** What the file has for it. */
  readonly id: number;
  readonly block: number;
  readonly bytes: number;
}

/** All types of ggml, whether their elements are read here or not. */
export const ggmlTypes: Readonly<Record<GgmlType, TypeLayout>> = types;

const byId = new Map(Object.entries(types).map(([name, { id }]) => [id, name as GgmlType]));

/** Types of older files by their numbers, which ggml took out again and no program of today reads. */
export const REMOVED_TYPES: Readonly<Record<number, string>> = {
  4: 'Q4_2',
  5: 'Q4_3',
  31: 'Q4_0_4_4',
  32: 'Q4_0_4_8',
  33: 'Q4_0_8_8',
  36: 'IQ4_NL_4_4',
  37: 'IQ4_NL_4_8',
  38: 'IQ4_NL_8_8',
};

/** The type that a file's number stands for; undefined for one that nobody knows. */
export const ggmlTypeOf = (id: number): GgmlType | undefined => byId.get(id);

/** Bytes that a tensor takes, whose rows are whole blocks. */
export function bytesOf(type: GgmlType, elements: number): number {
  const { block, bytes } = ggmlTypes[type];
  return (elements / block) * bytes;
}
