import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import walked from '../../test/fixtures/configs/fields.json' with { type: 'json' };
import encoders from '../../test/fixtures/encoders/cases.json' with { type: 'json' };
import seq2seq from '../../test/fixtures/seq2seq/cases.json' with { type: 'json' };
import type { JsonObject, JsonValue } from '../base/json.js';
import { allowedValues, isKnown, usedKeys } from './config-rules.js';
import { decoderConfigs } from './decoder.test-support.js';
import { PublishedConfig } from './published.js';
import scalings from './rotary-scalings.json' with { type: 'json' };

/*
 * What keeps "each switch as Python transformers has it, or refused by name" true: fields.json is what a walk over the
 * published classes and the modules of their models found, the fixtures are what is compared with those models.
 */

type Family = keyof typeof walked.families;
const families = Object.keys(walked.families) as Family[];

const models = ['gpt2', 'llama', 'llama-tied', 'bert'].map(
  (name): JsonObject =>
    JSON.parse(readFileSync(new URL(`../../test/fixtures/models/${name}/config.json`, import.meta.url), 'utf8')),
);
const fixtures = [
  ...models,
  ...(decoderConfigs() as JsonObject[]),
  ...Object.values(encoders as Record<string, JsonObject>),
  ...Object.values(seq2seq as Record<string, JsonObject>),
];
const fixturesOf = (family: Family) =>
  fixtures.filter(({ model_type }) => model_type === family).map((config) => new PublishedConfig(family, config));

/** Used keys that no logits, loss or gradient follows from. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  initializer_range: 'says how a new model starts',
  initializer_cutoff_factor: 'says how a new model starts',
  initializer_factor: 'says how a new model starts',
  't5.n_positions': 'says how long a text is cut to: the positions of t5 have no end',
  num_labels: 'is another spelling of how many labels id2label has: encoder-config.test.ts',
};

const text = (value: JsonValue | undefined) => JSON.stringify(value ?? null);

/** Keys that a family uses, and that its fixtures leave at the default. */
function untold(family: Family): string[] {
  const { fields } = walked.families[family] as { fields: JsonObject };
  return usedKeys(family).filter((key) =>
    fixturesOf(family).every((config) => [text(fields[key]), 'null'].includes(text(config.value(key)))),
  );
}

const isElsewhere = (family: Family, key: string) => key in ELSEWHERE || `${family}.${key}` in ELSEWHERE;

describe.each(families)('%s', (family) => {
  const { fields, read } = walked.families[family] as { fields: JsonObject; read: string[] };
  const of = fixturesOf(family);
  const told = (path: string) => new Set(of.map((config) => text(config.value(path))));

  it('uses, finds harmless, or watches over every field of its class, and every name that its model reads', () => {
    expect([...Object.keys(fields), ...read].filter((key) => !isKnown(family, key))).toEqual([]);
  });

  it('is compared with Python at another value than the default of every key that it uses', () => {
    const isFixed = (key: string) => allowedValues(family)[key]?.length === 1;
    expect(untold(family).filter((key) => !isFixed(key) && !isElsewhere(family, key))).toEqual([]);
  });

  const named = Object.entries(allowedValues(family)).filter(
    ([path, allowed]) => allowed.length > 1 && usedKeys(family).includes(path.split('.')[0]!),
  );
  const isType = (path: string) => /^rope_\w+\..*type$/.test(path);

  it('is compared with Python at every value that it takes where those are named', () => {
    const missing = named.flatMap(([path, allowed]) =>
      isType(path)
        ? []
        : allowed.filter((value) => !told(path).has(text(value))).map((value) => `${path} ${text(value)}`),
    );
    expect(missing).toEqual([]);
  });

  it('is compared with Python at every type of positions of each kind of its layers, and in every spelling', () => {
    const types = named.filter(([path]) => isType(path));
    const others = (path: string) => [...told(path)].filter((value) => value !== 'null' && value !== '"default"');
    expect(types.filter(([path]) => others(path).length === 0).map(([path]) => path)).toEqual([]);
    const kindOf = (path: string) => path.split('.').slice(1, -1).join('.') || 'full_attention';
    for (const kind of new Set(types.map(([path]) => kindOf(path)))) {
      const paths = types.filter(([path]) => kindOf(path) === kind);
      const some = new Set(paths.flatMap(([path]) => others(path)));
      const allowed = new Set(paths.flatMap(([, values]) => values.map(text)));
      allowed.delete('"default"');
      expect(
        [...allowed].filter((value) => !some.has(value)),
        kind,
      ).toEqual([]);
    }
  });
});

it('no exception stands for what fixtures have', () => {
  const excused = families.flatMap((family) => untold(family).flatMap((key) => [key, `${family}.${key}`]));
  expect(Object.keys(ELSEWHERE).filter((key) => !excused.includes(key))).toEqual([]);
  const told = families.flatMap((family) =>
    usedKeys(family).filter((key) => isElsewhere(family, key) && !untold(family).includes(key)),
  );
  expect(told).toEqual([]);
});

it('every setting of every type of positions stands in a fixture', () => {
  const settings = fixtures.flatMap((config) => {
    const all = [config.rope_parameters, config.rope_scaling].filter((each) => each instanceof Object) as JsonObject[];
    return all.flatMap((each) => [
      each,
      ...(Object.values(each).filter((inner) => inner instanceof Object) as JsonObject[]),
    ]);
  });
  const missing = Object.entries(scalings).flatMap(([type, { required, optional }]) => {
    const own = settings.filter((each) => (each.rope_type ?? each.type) === type);
    return ['', ...required, ...optional]
      .filter((key) => !own.some((each) => key === '' || key in each))
      .map((key) => `${type} ${key}`);
  });
  expect(missing).toEqual([]);
});
