import { UsageError } from '../../../base/errors.js';

/** A schema that is not `true` or `false`. */
export type SchemaObject = Readonly<Record<string, unknown>>;
export type Schema = SchemaObject | boolean;

export type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';
export const TYPES: readonly JsonType[] = ['string', 'number', 'boolean', 'null', 'array', 'object'];

/** Keywords that say nothing of which values are valid. */
const ANNOTATIONS = new Set(
  `$schema $id $comment $defs definitions title description default examples example deprecated readOnly writeOnly
  contentEncoding contentMediaType contentSchema`.split(/\s+/),
);

/** Keywords that are enforced. */
const ASSERTIONS = new Set(
  `type enum const $ref anyOf oneOf allOf properties required additionalProperties minProperties maxProperties
  items prefixItems minItems maxItems minLength maxLength pattern format minimum maximum exclusiveMinimum
  exclusiveMaximum`.split(/\s+/),
);

/** Keywords with a value that asks for nothing. */
const IDLE: Readonly<Record<string, (value: unknown) => boolean>> = {
  uniqueItems: (value) => value === false,
  patternProperties: isEmpty,
  dependentRequired: isEmpty,
  dependentSchemas: isEmpty,
  propertyNames: (value) => value === true || isEmpty(value),
  unevaluatedProperties: (value) => value === true,
  unevaluatedItems: (value) => value === true,
};

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** What of a schema is to be enforced. @throws UsageError for a keyword that is not, by name and place */
export function assertionsOf(schema: SchemaObject, path: string): SchemaObject {
  const kept: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (ASSERTIONS.has(keyword)) kept[keyword] = value;
    else if (!ANNOTATIONS.has(keyword) && !IDLE[keyword]?.(value))
      throw refused(keyword, path, 'is not supported: what it asks for could not be held');
  }
  return kept;
}

/** The error for a keyword. */
export function refused(keyword: string, path: string, why: string): UsageError {
  return new UsageError(`The schema's keyword "${keyword}" (at ${path}) ${why}.`);
}

export function asSchema(value: unknown, path: string): Schema {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as SchemaObject;
  throw new UsageError(`The schema at ${path} must be an object or a boolean.`);
}

/** The value of a keyword that must be a count. */
export function countOf(schema: SchemaObject, keyword: string, path: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw refused(keyword, path, 'must be a whole number, 0 or more');
  return value;
}

export function listOf(schema: SchemaObject, keyword: string, path: string): readonly unknown[] | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw refused(keyword, path, 'must be a list');
  return value;
}

/** The types that a schema names; undefined where it names none. */
export function typesOf(schema: SchemaObject, path: string): JsonType[] | undefined {
  if (schema.type === undefined) return undefined;
  const types: unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type];
  for (const type of types)
    if (type !== 'integer' && !TYPES.includes(type as JsonType))
      throw refused('type', path, `must be one of ${TYPES.join(', ')} and integer`);
  return types.filter((type) => type !== 'integer' || !types.includes('number')) as JsonType[];
}

/** Property names of an object of schemas, with the schemas. */
export function propertiesOf(schema: SchemaObject, path: string): [string, Schema][] {
  const { properties = {} } = schema;
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties))
    throw refused('properties', path, 'must be an object');
  return Object.entries(properties).map(([name, value]) => [name, asSchema(value, `${path}/properties/${name}`)]);
}

export function requiredOf(schema: SchemaObject, path: string): string[] {
  const names = listOf(schema, 'required', path) ?? [];
  if (!names.every((name) => typeof name === 'string')) throw refused('required', path, 'must be a list of names');
  return [...new Set(names as string[])];
}
