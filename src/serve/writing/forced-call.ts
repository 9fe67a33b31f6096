import type { Constraint } from '../../inference/completions/completion.js';

/** A tool as a request describes it. */
interface Tool {
  readonly function: { readonly name: string; readonly parameters?: Readonly<Record<string, unknown>> | undefined };
}

/**
 * Holds an answer to one call of one of these tools, its arguments to their schema: `{"name": ..., "arguments": {...}}`,
 * which is what templates of Hermes, Qwen and their kin have between their marks.
 *
 * @param tools one or more
 */
export function callConstraint(tools: readonly Tool[]): Constraint {
  const calls = tools.map(({ function: { name, parameters } }, i) => {
    // What it is called elsewhere is nothing here.
    const { $id: _, ...schema } = parameters ?? {};
    const input = { type: 'object', ...schema };
    return {
      type: 'object',
      properties: { name: { const: name }, arguments: inside(input, `#/anyOf/${i}/properties/arguments`) },
      required: ['name', 'arguments'],
      additionalProperties: false,
    };
  });
  return { kind: 'schema', schema: JSON.stringify({ anyOf: calls }) };
}

/** Keywords whose values are data, and those whose values have a schema for each name. */
const DATA = new Set(['const', 'enum', 'default', 'examples']);
const BY_NAME = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);

/** A schema that stands within another: what it refers to within itself is found there. */
function inside(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map((each) => inside(each, place));
  if (typeof schema !== 'object' || schema === null) return schema;
  const moved = Object.entries(schema).map(([key, value]) => {
    if (DATA.has(key)) return [key, value];
    if (key === '$ref' && typeof value === 'string' && value.startsWith('#')) return [key, place + value.slice(1)];
    if (!BY_NAME.has(key) || typeof value !== 'object' || value === null) return [key, inside(value, place)];
    return [key, Object.fromEntries(Object.entries(value).map(([name, each]) => [name, inside(each, place)]))];
  });
  return Object.fromEntries(moved);
}
