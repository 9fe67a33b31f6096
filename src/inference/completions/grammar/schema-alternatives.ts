import { isDeepStrictEqual } from 'node:util';
import { type JsonType, propertiesOf, requiredOf, type Schema, type SchemaObject, typesOf } from './schema-keywords.js';

/** Whether it is certain that no value is valid by both schemas, which must be without `$ref` themselves. */
export function neverBoth(left: Schema, right: Schema, resolve: (schema: Schema) => Schema): boolean {
  const [one, other] = [resolve(left), resolve(right)];
  if (one === false || other === false) return true;
  if (one === true || other === true) return false;
  const [values, otherValues] = [valuesOf(one), valuesOf(other)];
  if (values && otherValues) return !values.some((value) => otherValues.some((each) => isDeepStrictEqual(value, each)));
  const [types, otherTypes] = [kindsOf(one), kindsOf(other)];
  if (types && otherTypes && !types.some((type) => otherTypes.includes(type))) return true;
  if (!onlyObjects(types) || !onlyObjects(otherTypes)) return false;
  const [required, otherRequired] = [requiredOf(one, ''), requiredOf(other, '')];
  const otherProperties = new Map(propertiesOf(other, ''));
  return propertiesOf(one, '').some(([name, schema]) => {
    const twin = otherProperties.get(name);
    if (twin === undefined || !required.includes(name) || !otherRequired.includes(name)) return false;
    const [a, b] = [resolve(schema), resolve(twin)];
    const [these, those] = [a, b].map((each) => (typeof each === 'object' ? valuesOf(each) : undefined));
    return these !== undefined && those !== undefined && neverBoth(a, b, resolve);
  });
}

function valuesOf(schema: SchemaObject): readonly unknown[] | undefined {
  if (schema.const !== undefined) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}

/** Types of JSON values, whole numbers among the numbers. */
function kindsOf(schema: SchemaObject): JsonType[] | undefined {
  const values = valuesOf(schema);
  const types = values ? values.map(typeOfValue) : typesOf(schema, '');
  return types?.map((type) => (type === 'integer' ? 'number' : type));
}

const onlyObjects = (types: readonly JsonType[] | undefined): boolean =>
  types?.every((type) => type === 'object') ?? false;

/** The type of a value of JSON. */
export function typeOfValue(value: unknown): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as JsonType;
}
