import { UsageError } from '../../../base/errors.js';
import { FORMATS } from './formats.js';
import { COMMA, JSON_RULES, json, list, quoted, STRING_CHARACTER, spelled } from './json-text.js';
import { integersBetween, LARGEST_BOUND, type NumberBound, numbersBetween } from './number-range.js';
import { readRegex } from './regex.js';
import { characters, choice, literal, optional, type Piece, type Rules, repeat, rule, sequence } from './rules.js';
import { neverBoth, typeOfValue } from './schema-alternatives.js';
import * as keywords from './schema-keywords.js';
import {
  asSchema,
  countOf,
  type JsonType,
  listOf,
  refused,
  type Schema,
  type SchemaObject,
} from './schema-keywords.js';
import { mergeSchemas } from './schema-merge.js';
import { objectOf } from './schema-object.js';

const INFINITE = Number.POSITIVE_INFINITY;
const NOTHING = characters([]);
/** Schemas inside each other, references followed. */
const DEEPEST = 200;
/** Characters of a schema's text. */
const LONGEST = 1 << 18;

/**
 * The rules of JSON texts that are valid by a schema (JSON Schema, draft 2020-12): properties in the schema's order, others only
 * where `additionalProperties` says so, numbers of at most 15 digits before the point, a blank after `,` and `:` at most.
 *
 * @throws UsageError for what is not enforced, by name and place, and for what is no schema
 */
export function readSchema(text: string): Rules {
  if (text.length > LONGEST)
    throw new UsageError(`The schema has ${text.length} characters; at most ${LONGEST} are read.`);
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`The schema is not valid JSON: ${(error as Error).message}.`);
  }
  return new SchemaReader(asSchema(schema, '#')).rules();
}

class SchemaReader {
  readonly #rules = new Map<string, Piece>();
  readonly #names = new Map<SchemaObject, string>();
  #depth = 0;

  constructor(private readonly root: Schema) {
    refuseInnerIds(root, '#');
  }

  rules(): Rules {
    const root = this.#value(this.root, '#');
    return new Map([['root', root], ...JSON_RULES, ...this.#rules]);
  }

  /** What is valid by a schema, as a rule of its own. */
  #value(schema: Schema, path: string): Piece {
    if (schema === true) return rule('value');
    if (schema === false) return NOTHING;
    let name = this.#names.get(schema);
    if (name === undefined) {
      if (this.#depth > DEEPEST)
        throw new UsageError(`The schema is nested more than ${DEEPEST} deep, at ${path.slice(0, 200)}.`);
      name = `schema${this.#names.size}`;
      this.#names.set(schema, name);
      this.#depth++;
      this.#rules.set(name, this.#read(keywords.assertionsOf(schema, path), path));
      this.#depth--;
    }
    return rule(name);
  }

  #read(schema: SchemaObject, path: string): Piece {
    const { $ref, allOf, anyOf, oneOf, ...own } = schema;
    const parts: SchemaObject[] = [own];
    const all = (listOf(schema, 'allOf', path) ?? []).map((each, i) => asSchema(each, `${path}/allOf/${i}`));
    if ($ref !== undefined) {
      const target = this.#target($ref, path);
      if (all.length === 0 && !anyOf && !oneOf && Object.keys(own).length === 0)
        return this.#value(target, String($ref));
      all.push(target);
    }
    for (const each of all) {
      const resolved = this.#resolve(each, path);
      if (resolved === false) return NOTHING;
      if (resolved !== true) parts.push(resolved);
    }
    let merged = parts.reduce((left, right) => mergeSchemas(left, right, path));
    if (anyOf !== undefined) merged = mergeSchemas(merged, { anyOf }, path);
    if (oneOf !== undefined) merged = mergeSchemas(merged, { oneOf }, path);
    // The parts of allOf may have parts of their own.
    if (all.length > 0 && (merged.allOf !== undefined || merged.$ref !== undefined)) return this.#nested(merged, path);
    if (merged.anyOf !== undefined) return this.#alternatives('anyOf', merged, path);
    if (merged.oneOf !== undefined) return this.#alternatives('oneOf', merged, path);
    return this.#plain(merged, path);
  }

  #nested(schema: SchemaObject, path: string): Piece {
    if (++this.#depth > DEEPEST)
      throw new UsageError(`The schema refers to itself without end, at ${path.slice(0, 200)}.`);
    const node = this.#read(schema, path);
    this.#depth--;
    return node;
  }

  #alternatives(keyword: 'anyOf' | 'oneOf', schema: SchemaObject, path: string): Piece {
    const { [keyword]: _, ...rest } = schema;
    const options = listOf(schema, keyword, path)!.map((each, i) => asSchema(each, `${path}/${keyword}/${i}`));
    if (options.length === 0) throw refused(keyword, path, 'must not be empty');
    const joined = options.map((option): Schema => {
      if (typeof option === 'boolean' || Object.keys(rest).length === 0) return option === true ? rest : option;
      const resolved = this.#resolve(option, path);
      return typeof resolved === 'boolean' ? resolved && rest : mergeSchemas(rest, resolved, path);
    });
    if (keyword === 'oneOf')
      for (const [i, one] of joined.entries())
        for (const other of joined.slice(i + 1))
          if (!neverBoth(one, other, (each) => this.#resolve(each, path)))
            throw refused(
              'oneOf',
              path,
              'has alternatives of which two may be valid at once. Tell them apart by type or by a required property with different constants, or use anyOf',
            );
    return choice(...joined.map((each, i) => this.#value(each, `${path}/${keyword}/${i}`)));
  }

  /** A schema without references to others at its top, its keywords checked. */
  #resolve(schema: Schema, path: string): Schema {
    let at = schema;
    for (let steps = 0; typeof at === 'object'; steps++) {
      if (steps > DEEPEST)
        throw new UsageError(`The schema refers to itself without anything between, at ${path}: it never ends.`);
      const own = keywords.assertionsOf(at, path);
      if (own.$ref === undefined || Object.keys(own).length > 1) return own;
      at = this.#target(own.$ref, path);
    }
    return at;
  }

  #target($ref: unknown, path: string): Schema {
    if (typeof $ref !== 'string' || !/^#(\/|$)/.test($ref))
      throw refused(
        '$ref',
        path,
        `must be "#" or begin with "#/", a place in the same schema; it is ${JSON.stringify($ref)}`,
      );
    let at: unknown = this.root;
    for (const part of $ref.split('/').slice(1)) {
      let key = part;
      try {
        key = decodeURIComponent(part);
      } catch {
        // A % that escapes nothing is itself.
      }
      key = key.replaceAll('~1', '/').replaceAll('~0', '~');
      at =
        typeof at === 'object' && at !== null && Object.hasOwn(at, key)
          ? (at as Record<string, unknown>)[key]
          : undefined;
    }
    if (at === undefined) throw refused('$ref', path, `names ${JSON.stringify($ref)}, which is not there`);
    return asSchema(at, $ref);
  }

  /** A schema of one value's own keywords. */
  #plain(schema: SchemaObject, path: string): Piece {
    if (Object.keys(schema).length === 0) return rule('value');
    const types = keywords.typesOf(schema, path);
    if (schema.const !== undefined || schema.enum !== undefined) return this.#constants(schema, types, path);
    return choice(
      ...(types ?? keywords.TYPES).map((type) => this.#typed(type, schema, path)),
      ...(types?.length === 0 ? [NOTHING] : []),
    );
  }

  #constants(schema: SchemaObject, types: readonly JsonType[] | undefined, path: string): Piece {
    const beside = Object.keys(schema).find((keyword) => !['const', 'enum', 'type'].includes(keyword));
    if (beside !== undefined || (schema.const !== undefined && schema.enum !== undefined))
      throw refused(beside ?? 'enum', path, 'is not supported beside const or enum');
    const values = schema.const !== undefined ? [schema.const] : listOf(schema, 'enum', path)!;
    const fits = (value: unknown): boolean => {
      const type = typeOfValue(value);
      return !types || types.includes(type) || (type === 'integer' && types.includes('number'));
    };
    return choice(NOTHING, ...values.filter(fits).map(json));
  }

  #typed(type: JsonType, schema: SchemaObject, path: string): Piece {
    switch (type) {
      case 'string':
        return this.#string(schema, path);
      case 'integer':
      case 'number':
        return numeric(type, schema, path);
      case 'array':
        return this.#array(schema, path);
      case 'object':
        return this.#object(schema, path);
      default:
        return rule(type);
    }
  }

  #string(schema: SchemaObject, path: string): Piece {
    const min = countOf(schema, 'minLength', path) ?? 0;
    const max = countOf(schema, 'maxLength', path) ?? INFINITE;
    const { pattern, format } = schema;
    if (format !== undefined && (typeof format !== 'string' || !Object.hasOwn(FORMATS, format)))
      throw refused('format', path, `is ${JSON.stringify(format)}; supported are ${Object.keys(FORMATS).join(', ')}`);
    if (pattern !== undefined && typeof pattern !== 'string') throw refused('pattern', path, 'must be a text');
    // Beside a pattern a format is a remark, as it is by the standard.
    const source = pattern ?? (format === undefined ? undefined : FORMATS[format as string]);
    if (source === undefined) {
      if (min === 0 && max === INFINITE) return rule('string');
      return min > max ? NOTHING : quoted(repeat(STRING_CHARACTER, min, max));
    }
    const beside = ['minLength', 'maxLength'].find((keyword) => schema[keyword] !== undefined);
    if (beside) throw refused(beside, path, `is not supported beside ${pattern === undefined ? 'format' : 'pattern'}`);
    return quoted(readRegex(source as string, { search: true, spell: spelled }));
  }

  #array(schema: SchemaObject, path: string): Piece {
    const prefix = (listOf(schema, 'prefixItems', path) ?? []).map((each, i) => {
      const place = `${path}/prefixItems/${i}`;
      return this.#value(asSchema(each, place), place);
    });
    const min = countOf(schema, 'minItems', path) ?? 0;
    const max = countOf(schema, 'maxItems', path) ?? INFINITE;
    if (Array.isArray(schema.items)) throw refused('items', path, 'is a list, as in older drafts: use prefixItems');
    const items =
      schema.items === undefined
        ? rule('value')
        : this.#value(asSchema(schema.items, `${path}/items`), `${path}/items`);
    if (min > max) return NOTHING;
    if (prefix.length === 0) return list(items, min, max);
    // From the last element on: each with what follows it.
    let rest: Piece = repeat(
      sequence(COMMA, items),
      Math.max(0, min - prefix.length),
      Math.max(0, max - prefix.length),
    );
    for (let i = Math.min(prefix.length, max) - 1; i >= 0; i--) {
      const part = sequence(...(i > 0 ? [COMMA] : []), prefix[i]!, i === max - 1 ? sequence() : rest);
      rest = i < min ? part : optional(part);
    }
    return sequence(literal('['), max === 0 ? sequence() : rest, literal(']'));
  }

  #object(schema: SchemaObject, path: string): Piece {
    const required = keywords.requiredOf(schema, path);
    const named = keywords.propertiesOf(schema, path);
    const { additionalProperties } = schema;
    const place = `${path}/additionalProperties`;
    const rest = additionalProperties === undefined ? undefined : asSchema(additionalProperties, place);
    const unnamed = required.filter((name) => !named.some(([each]) => each === name));
    const properties = [...named, ...unnamed.map((name): [string, Schema] => [name, rest ?? true])].map(
      ([name, value]) => ({
        name,
        required: required.includes(name),
        value: this.#value(value, `${path}/properties/${name}`),
      }),
    );
    const open = rest ?? properties.length === 0;
    const least = countOf(schema, 'minProperties', path) ?? 0;
    const most = countOf(schema, 'maxProperties', path) ?? INFINITE;
    if (least > required.length)
      throw refused('minProperties', path, 'is supported only up to the number of required properties');
    if (most < (open === false ? properties.length : INFINITE))
      throw refused(
        'maxProperties',
        path,
        'is supported only where all properties together are no more and others are not allowed',
      );
    if (properties.length === 0 && open === true) return rule('object');
    return objectOf(properties, open === false ? undefined : this.#value(open, place));
  }
}

/** A schema inside another with a name of its own would make `#` mean something else there. */
function refuseInnerIds(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$id' && typeof inner === 'string' && path !== '#')
      throw refused('$id', path, 'is supported at the top alone');
    refuseInnerIds(inner, `${path}/${key}`);
  }
}

/** Numbers within the bounds of a schema. */
function numeric(type: 'integer' | 'number', schema: SchemaObject, path: string): Piece {
  const bound = (keyword: string): number | undefined => {
    const value = schema[keyword];
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value)))
      throw refused(keyword, path, 'must be a number');
    return value as number | undefined;
  };
  const [minimum, above, maximum, below] = ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'].map(bound);
  if ([minimum, above, maximum, below].every((value) => value === undefined)) return rule(type);
  if (type === 'integer') {
    const low = Math.max(minimum ?? -INFINITE, above === undefined ? -INFINITE : Math.floor(above) + 1);
    const high = Math.min(maximum ?? INFINITE, below === undefined ? INFINITE : Math.ceil(below) - 1);
    return integersBetween(low, high);
  }
  for (const [keyword, value] of Object.entries({ minimum, exclusiveMinimum: above, maximum, exclusiveMaximum: below }))
    if (value !== undefined && (!Number.isInteger(value) || Math.abs(value) > LARGEST_BOUND))
      throw refused(keyword, path, `is ${value}; of type number, whole bounds up to ${LARGEST_BOUND} are supported`);
  const low: NumberBound =
    above !== undefined && above >= (minimum ?? -INFINITE)
      ? { value: above, exclusive: true }
      : { value: minimum ?? -LARGEST_BOUND, exclusive: false };
  const high: NumberBound =
    below !== undefined && below <= (maximum ?? INFINITE)
      ? { value: below, exclusive: true }
      : { value: maximum ?? LARGEST_BOUND, exclusive: false };
  return numbersBetween(low, high);
}
