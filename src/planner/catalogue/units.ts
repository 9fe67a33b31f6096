import type { Accelerator } from '../types.js';
import { accelerators, findAccelerator } from './accelerators.js';

/** A figure to compare: what it is called where it was written, its value, and what a known one has, in one unit. */
export interface Compared {
  readonly name: string;
  readonly value: number;
  readonly known: number;
  /** Whose figure the known one is. */
  readonly of: string;
}

/** Slips that people make, by the factor between what they wrote and what they meant. */
const slips: readonly { readonly factor: number; readonly explanation: string }[] = [
  { factor: 8, explanation: 'bits where bytes are meant, or bytes for bits?' },
  { factor: 1000, explanation: 'one unit prefix too many or too few?' },
  { factor: 1e6, explanation: 'two unit prefixes too many or too few?' },
];

/** How near to a slip's factor a ratio must be: figures of one card differ by a quarter between its versions. */
const TOLERANCE = 1.3;

/**
 * A warning for a figure that is off a known one by a factor of about 8, 1000 or a million, as wrong units make them.
 */
export function unitWarning({ name, value, known, of }: Compared): string | undefined {
  if (!(value > 0 && known > 0)) return undefined;
  const ratio = value / known;
  const off = Math.max(ratio, 1 / ratio);
  const slip = slips.find(({ factor }) => off > factor / TOLERANCE && off < factor * TOLERANCE);
  if (!slip) return undefined;
  const direction = ratio > 1 ? 'times' : 'times less than';
  return `${name} = ${short(value)} is ${short(off)} ${direction} the ${short(known)} of ${of}: ${slip.explanation}`;
}

/**
 * A warning for a figure that lies far outside what any accelerator of its kind in the catalogue has.
 *
 * @param of reads the figure, in the unit of `value`
 */
export function rangeWarning(
  name: string,
  value: number,
  kind: Accelerator['kind'],
  of: (accelerator: Accelerator) => number | null | undefined,
): string | undefined {
  const known = accelerators
    .map((other) => findAccelerator(other))
    .filter((other) => other.kind === kind)
    .map(of)
    .filter((figure): figure is number => figure != null && figure > 0);
  if (known.length === 0) return undefined;
  const least = Math.min(...known);
  const most = Math.max(...known);
  if (value >= least / 6 && value <= most * 6) return undefined;
  return `${name} = ${short(value)} is far from what every ${kind} of the catalogue has (${short(least)} to ${short(most)}): is the unit right?`;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
