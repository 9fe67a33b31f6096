import { type Shape, sizeOf } from '../../graph/index.js';
import type { ParameterSpec } from '../../model/layout.js';

/** A parameter of a section, or some rows of one. */
export interface SectionEntry {
  /** The parameter's name. */
  readonly name: string;
  readonly shape: Shape;
  /** Where it lies in the section, in elements. */
  readonly offset: number;
  readonly size: number;
  /** Where in the parameter it begins: above 0 where a section has only some of its rows. */
  readonly from: number;
}

/** What of a model is in memory at once: the parameters of a layer, or rows of a table. */
export interface Section {
  readonly entries: readonly SectionEntry[];
  /** Elements, those between the last matrix and the first vector included, which are always 0. */
  readonly size: number;
  /** Elements of matrices, which come first: weight decay is of them alone. A multiple of {@link PAGE}, or all. */
  readonly decayed: number;
}

/** Elements of a page of 4096 bytes: what disks take at any place is a multiple of it. */
export const PAGE = 1024;

/** So many elements in whole pages. */
export const inPages = (elements: number): number => Math.ceil(elements / PAGE) * PAGE;

/** The parameters of a layer, matrices first as in a model's vector. */
export function layerSection(specs: readonly Pick<ParameterSpec, 'name' | 'shape'>[]): Section {
  let offset = 0;
  const place = ({ name, shape }: Pick<ParameterSpec, 'name' | 'shape'>): SectionEntry => {
    const size = sizeOf(shape);
    const entry = { name, shape, offset, size, from: 0 };
    offset += size;
    return entry;
  };
  const matrices = specs.filter(({ shape }) => shape.length > 1).map(place);
  const small = specs.filter(({ shape }) => shape.length <= 1);
  if (small.length > 0) offset = inPages(offset);
  const decayed = offset;
  const vectors = small.map(place);
  return { entries: [...matrices, ...vectors], size: offset, decayed };
}

/** A table [V, C] in sections of so many rows, the last perhaps of fewer. */
export function tableSections({ name, shape }: Pick<ParameterSpec, 'name' | 'shape'>, rows: number): Section[] {
  const [V, C] = shape as [number, number];
  return Array.from({ length: Math.ceil(V / rows) }, (_, i) => {
    const first = i * rows;
    const count = Math.min(rows, V - first);
    const size = count * C;
    return { entries: [{ name, shape: [count, C], offset: 0, size, from: first * C }], size, decayed: size };
  });
}
