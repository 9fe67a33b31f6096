import { MeanfieldError } from './errors.js';

/** A value that JSON holds exactly. NaN and infinities are not among them: `JSON.stringify` turns them into null. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON value with named fields. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Whether a parsed JSON value has named fields. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A value as JSON, in which every number must be one that JSON has: `JSON.stringify` writes null for NaN and infinities,
 * and whoever reads it takes a failure for a figure that is not known.
 *
 * @throws MeanfieldError naming the figure that is not finite
 */
export function figuresAsJson(value: unknown, indent?: number): string {
  const checked = (key: string, inner: unknown) => {
    if (typeof inner !== 'number' || Number.isFinite(inner)) return inner;
    throw new MeanfieldError(
      `The figure ${key} is ${inner}, and so no result. Weights or a measurement that it comes from are not usable.`,
    );
  };
  return JSON.stringify(value, checked, indent);
}

/** The text of a JSON file as we write it: indented by two, with a final newline, keys in the order given. */
export function jsonText(value: JsonValue): string {
  return `${figuresAsJson(value, 2)}\n`;
}
