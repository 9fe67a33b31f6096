import { z } from 'zod';
import {
  defaultOf,
  type OptionDefinition,
  type OptionsOf,
  type OptionTable,
  type ParsedOf,
  rangeInWords,
  rangeOf,
  type ValueOf,
} from './option-table.js';

/** The check of one option's value, without its default. */
export function valueSchema<const D extends OptionDefinition>(definition: D): z.ZodType<ValueOf<D>> {
  const schema = withoutNull(definition);
  return (definition.nullable ? schema.nullable() : schema) as z.ZodType<ValueOf<D>>;
}

/** The checks of a table's options by name, each of which may be left out for its default unless it is required. */
export function shapeOf<T extends OptionTable>(table: T): { readonly [K in keyof T]: z.ZodType } {
  const schemas = Object.entries(table).map(([name, definition]) => {
    const schema = valueSchema(definition);
    const value = defaultOf(definition);
    if (value === undefined) return [name, definition.required ? schema : schema.optional()];
    return [name, schema.default(value as never)];
  });
  return Object.fromEntries(schemas);
}

/** The check of options by a table: unknown ones are refused, defaults are filled in. */
export function schemaOf<T extends OptionTable>(table: T): z.ZodType<ParsedOf<T>, OptionsOf<T>> {
  return z.strictObject(shapeOf(table)) as unknown as z.ZodType<ParsedOf<T>, OptionsOf<T>>;
}

function withoutNull(definition: OptionDefinition): z.ZodType {
  const { kind, choices, reason, or, empty } = definition;
  switch (kind) {
    case 'flag':
      return z.boolean();
    case 'text':
      return z.string().min(empty ? 0 : 1);
    case 'texts':
      return z.array(z.string().min(1));
    case 'choice':
      return z.enum(choices!, reason === undefined ? {} : { error: `must be ${choices!.join(' or ')}: ${reason}` });
    case 'source':
      return z.union([
        z.literal('send'),
        z.strictObject({ path: z.string().min(1) }),
        z.strictObject({ http: z.url({ protocol: /^https?$/ }) }),
      ]);
    default:
      return or === undefined
        ? numberSchema(definition)
        : z.union([numberSchema(definition), z.literal(or)], {
            error: `expected ${rangeInWords(rangeOf(definition))}, or "${or}"`,
          });
  }
}

function numberSchema(definition: OptionDefinition): z.ZodNumber {
  const { whole, least, most, above, below } = rangeOf(definition);
  let schema = whole ? z.number().int() : z.number();
  if (least !== undefined) schema = schema.min(least);
  if (above !== undefined) schema = schema.gt(above);
  if (most !== undefined) schema = schema.max(most);
  if (below !== undefined) schema = schema.lt(below);
  return schema;
}
