import { describe, expect, it } from 'vitest';
import { arrayTypes } from '../../engine/engine.js';
import { crossEntropy, gemm, input, maximum, reduceSum, scalar, sizeOf } from '../../graph/index.js';
import {
  type ArchitectureDefinition,
  defineArchitecture,
  defineObjective,
  defineSamples,
  type ObjectiveDefinition,
} from './definitions.js';
import { Own } from './own.js';

interface Flower {
  readonly sizes: ArrayLike<number>;
  readonly kind: number;
}

const architecture = {
  name: 'linear',
  parameters: [
    { name: 'weight', shape: [3, 2], initialization: { normal: 0.1 } },
    { name: 'bias', shape: [2], initialization: { fill: 0 } },
  ],
  forward: (parameters, x) => gemm(x!, parameters.weight!, parameters.bias),
} satisfies ArchitectureDefinition<'weight' | 'bias'>;

const objective: ObjectiveDefinition<Flower> = {
  name: 'kind',
  feeds: { x: { shape: [3] }, y: { shape: [], dtype: 'int64' } },
  feed: ({ sizes, kind }) => ({ x: sizes, y: kind }),
  loss: (forward, { x, y }) => reduceSum(crossEntropy(forward(x!), y!), [0]),
};

const own = (changes: Partial<ObjectiveDefinition<Flower>> = {}, model: Partial<ArchitectureDefinition> = {}) =>
  new Own(
    { architecture: { ...architecture, ...model }, objective: { ...objective, ...changes } as never },
    'kinds.js',
  );

function fill(learned: Own, ...samples: unknown[]) {
  const feeds = learned.feeds(samples.length);
  const arrays = Object.fromEntries(feeds.map((one) => [one.name, new arrayTypes[one.dtype](sizeOf(one.shape))]));
  const weight = learned.fill(samples, arrays);
  return { weight, ...Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, [...array]])) };
}

describe("a model of one's own", () => {
  it('feeds samples one behind the other, with a weight of one each or its own', () => {
    const samples = [
      { sizes: [1, 2, 3], kind: 1 },
      { sizes: Float32Array.of(4, 5, 6), kind: 0 },
    ];
    expect(fill(own(), ...samples)).toEqual({ weight: 2, x: [1, 2, 3, 4, 5, 6], y: [1n, 0n] });
    expect(fill(own({ weight: ({ kind }) => kind + 1 }), ...samples).weight).toBe(3);
  });

  it('traces the sum of its losses over the batch', () => {
    const learned = own();
    learned.check(4);
    expect(learned.feeds(4)).toEqual([
      { name: 'x', shape: [4, 3], dtype: 'float32' },
      { name: 'y', shape: [4], dtype: 'int64' },
    ]);
    expect(learned.layout.size).toBe(8);
  });

  it.each<[string, Partial<ObjectiveDefinition<Flower>>, string]>([
    [
      'a loss that is no scalar',
      { loss: (forward, { x, y }) => crossEntropy(forward(x!), y!) },
      'kinds.js: expected objective.loss to give a float32 scalar, the sum over the micro-batch, got a float32 tensor of ' +
        'shape [4]. Sum it: reduceSum(losses, [0, …]) over every axis.',
    ],
    [
      'a loss that is no tensor',
      { loss: () => 0.5 as never },
      'a float32 scalar, the sum over the micro-batch, got 0.5',
    ],
    [
      'a shape that does not fit',
      { loss: (forward, { y }) => forward(y!) },
      'kinds.js: kind of linear cannot be traced for a micro-batch of 4: ',
    ],
    [
      'a feed that there is not',
      { loss: (forward, feeds) => forward(feeds.image!) },
      'kinds.js: the objective has no feed image. Allowed: x, y.',
    ],
    [
      'a parameter without a part in the loss',
      { loss: (_forward, { x }) => reduceSum(x!, [0, 1]) },
      'kinds.js: the loss does not depend on weight, bias. Use every parameter in architecture.forward, or leave it out.',
    ],
    [
      'an operator without a gradient',
      { loss: (forward, { x }) => reduceSum(maximum(forward(x!), scalar(0)), [0, 1]) },
      'kinds.js: kind of linear cannot be traced for a micro-batch of 4: gradients: ',
    ],
  ])('tells of %s', (_what, changes, message) => {
    expect(() => own(changes).check(4)).toThrow(message);
  });

  it('tells the sizes of what does not fit', () => {
    const forward: ArchitectureDefinition['forward'] = ({ weight }, x) => gemm(weight!, x!);
    expect(() => own({}, { forward }).check(4)).toThrow(
      /Feeds: x \[4, 3\], y \[4\]\. Parameters: weight \[3, 2\], bias \[2\]\. Correct/,
    );
    const typo: ArchitectureDefinition['forward'] = (parameters, x) => gemm(x!, parameters.wieght!);
    expect(() => own({}, { forward: typo }).check(4)).toThrow(
      'kinds.js: the architecture has no parameter wieght. Allowed: weight, bias.',
    );
  });

  it.each<[string, unknown, string]>([
    [
      'too few values',
      { sizes: [1, 2], kind: 0 },
      'kinds.js: expected objective.feed to give 3 values of float32 for the shape [3] as x, got an array of 2. Allowed: ' +
        'an array, a typed array; or correct feeds.x.shape.',
    ],
    ['no values', { kind: 0 }, 'for the shape [3] as x, got undefined'],
    ['text for numbers', { sizes: ['1', '2', '3'], kind: 0 }, 'float32 as x, but "1" is no number. Allowed: numbers'],
    ['a part of a class', { sizes: [1, 2, 3], kind: 0.5 }, 'int64 as y, but The number 0.5 cannot be converted'],
    ['many for one', { sizes: [1, 2, 3], kind: [1, 2] }, '1 value of int64 for the shape [] as y, got an array of 2'],
  ])('tells of %s', (_what, sample, message) => {
    expect(() => fill(own(), sample)).toThrow(message);
  });

  it('tells what fails in its own functions, and of weights that are none', () => {
    const failing = own({
      feed: () => {
        throw new Error('no such image');
      },
    });
    expect(() => fill(failing, {})).toThrow('kinds.js: objective.feed failed: no such image.');
    expect(() => fill(own({ weight: () => 0 }), { sizes: [1, 2, 3], kind: 0 })).toThrow(
      'kinds.js: expected objective.weight to give a number above 0, got 0.',
    );
  });
});

describe('definitions', () => {
  it('are given back as they are', () => {
    expect(defineArchitecture(architecture)).toBe(architecture);
    expect(defineObjective(objective)).toBe(objective);
    const samples = () => ({ training: [1], validation: [2] });
    expect(defineSamples(samples)).toBe(samples);
  });

  const [weight] = architecture.parameters;
  it.each<[unknown, string]>([
    [undefined, 'defineArchitecture: expected { name, parameters, forward }, got undefined.'],
    [{ ...architecture, name: '' }, `expected name to be a name, such as 'digits', got "".`],
    [{ ...architecture, parameters: [] }, 'expected parameters to be a list of one or more'],
    [{ ...architecture, parameters: [weight, weight] }, 'two parameters are named weight. Give each its own name.'],
    [
      { ...architecture, parameters: [{ ...weight, shape: [3, 0] }] },
      'expected parameters[0].shape to be sizes of 1 or more, such as [64, 10], got [3,0].',
    ],
    [
      { ...architecture, parameters: [{ name: 'w', shape: [3] }] },
      'expected parameters[0].initialization to be { normal: standardDeviation } or { fill: value }, of a finite number, got undefined.',
    ],
    [
      { ...architecture, forward: 'x' },
      'expected forward to be a function, (parameters, ...inputs) => tensor, got "x".',
    ],
  ])('of an architecture are checked: %#', (definition, message) => {
    expect(() => defineArchitecture(definition as never)).toThrow(message);
  });

  it.each<[unknown, string]>([
    [[], 'defineObjective: expected { name, feeds, feed, loss }, got an array of 0.'],
    [{ ...objective, feeds: {} }, 'expected feeds to be one array or more'],
    [
      { ...objective, feeds: { x: { shape: 3 } } },
      'expected feeds.x.shape to be the sizes of one sample, [] for one value, got 3.',
    ],
    [
      { ...objective, feeds: { x: { shape: [3], dtype: 'float16' } } },
      `expected feeds.x.dtype to be 'float32' or 'int64', got "float16".`,
    ],
    [{ ...objective, feed: undefined }, 'expected feed to be a function'],
    [
      { ...objective, loss: input('x', []) },
      'expected loss to be a function, (forward, feeds) => scalar tensor, got an object with',
    ],
    [
      { ...objective, weight: 2 },
      'expected weight to be a function, (sample) => number of targets, or nothing at all, got 2.',
    ],
  ])('of an objective are checked: %#', (definition, message) => {
    expect(() => defineObjective(definition as never)).toThrow(message);
  });

  it('of samples are checked', () => {
    expect(() => defineSamples([] as never)).toThrow(
      'defineSamples: expected a function that gives { training, validation }, got an array of 0. Write () => ({ … }).',
    );
  });
});
