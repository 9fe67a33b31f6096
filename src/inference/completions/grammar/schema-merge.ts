import { isDeepStrictEqual } from 'node:util';
import {
  type JsonType,
  propertiesOf,
  refused,
  requiredOf,
  type Schema,
  type SchemaObject,
  TYPES,
  typesOf,
} from './schema-keywords.js';

const LARGER = new Set(['minLength', 'minItems', 'minProperties', 'minimum', 'exclusiveMinimum']);
const SMALLER = new Set(['maxLength', 'maxItems', 'maxProperties', 'maximum', 'exclusiveMaximum']);

/**
 * One schema that asks for what two ask for.
 *
 * @throws UsageError for a keyword that cannot be joined, by name and place
 */
export function mergeSchemas(left: SchemaObject, right: SchemaObject, path: string): SchemaObject {
  refuseClosed(left, right, path);
  const merged: Record<string, unknown> = { ...left };
  for (const [keyword, value] of Object.entries(right)) {
    const before = left[keyword];
    if (before === undefined || isDeepStrictEqual(before, value)) merged[keyword] = value;
    else if (keyword === 'properties') merged[keyword] = mergeProperties(left, right, path);
    else if (keyword === 'required')
      merged[keyword] = [...new Set([...requiredOf(left, path), ...requiredOf(right, path)])];
    else if (keyword === 'type') merged[keyword] = commonTypes(typesOf(left, path)!, typesOf(right, path)!);
    else if (LARGER.has(keyword)) merged[keyword] = Math.max(Number(before), Number(value));
    else if (SMALLER.has(keyword)) merged[keyword] = Math.min(Number(before), Number(value));
    else throw refused(keyword, path, 'stands in two schemas that both apply, and cannot be joined');
  }
  return merged;
}

function mergeProperties(left: SchemaObject, right: SchemaObject, path: string): Record<string, Schema> {
  const merged: Record<string, Schema> = Object.fromEntries(propertiesOf(left, path));
  for (const [name, schema] of propertiesOf(right, path))
    merged[name] = Object.hasOwn(merged, name) ? { allOf: [merged[name], schema] } : schema;
  return merged;
}

function commonTypes(left: readonly JsonType[], right: readonly JsonType[]): JsonType[] {
  return [...TYPES, 'integer' as const].filter((type) => {
    const [inLeft, inRight] = [left, right].map(
      (types) => types.includes(type) || (type === 'integer' && types.includes('number')),
    );
    return inLeft && inRight;
  });
}

/** What one says of properties and elements beside those that it names itself cannot be joined with names of the other. */
function refuseClosed(left: SchemaObject, right: SchemaObject, path: string): void {
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const { additionalProperties: rest = true } = one;
    const names = new Set(propertiesOf(one, path).map(([name]) => name));
    if (rest !== true && propertiesOf(other, path).some(([name]) => !names.has(name)))
      throw refused('additionalProperties', path, 'cannot be joined with properties of another schema that applies');
    if (
      one.items !== undefined &&
      other.prefixItems !== undefined &&
      !isDeepStrictEqual(one.prefixItems, other.prefixItems)
    )
      throw refused('items', path, 'cannot be joined with prefixItems of another schema that applies');
  }
}
