import { expect, it } from 'vitest';
import { parseScaleOptions, resumedScaleOptions, settingsOf } from './options.js';

const own = parseScaleOptions({ corpus: ['book.txt'], out: 'there', seed: 5 });

it('fills in defaults and names what is wrong', () => {
  expect(own).toMatchObject({ budgetMinutes: 45, least: 30_000, most: 500_000, predict: 1_000_000, seeds: 2 });
  expect(() => parseScaleOptions({})).toThrow('Name a text file');
  expect(() => parseScaleOptions({ corpus: ['a'], steps: 3, seeds: 0, budgetMinutes: Number.NaN })).toThrow(
    /`budgetMinutes`.*`steps`.*`seeds`/,
  );
  expect(() => parseScaleOptions({ corpus: ['a'], other: 1 } as never)).toThrow('other');
});

it('goes on with the ladder’s own options, but for places and folder', () => {
  expect(resumedScaleOptions({ out: 'here', jobs: 3 }, own)).toEqual({ ...own, out: 'here', jobs: 3, resume: true });
  expect(resumedScaleOptions({ corpus: ['book.txt'], seed: 5 }, own).seed).toBe(5);
  expect(() => resumedScaleOptions({ seed: 6 }, own)).toThrow('was made with `seed` 5, not 6');
  expect(() => resumedScaleOptions({ steps: 50 }, own)).toThrow('`steps` left out, not 50');
  expect(() => resumedScaleOptions({ corpus: ['other.txt'] }, own)).toThrow('the corpus ["book.txt"]');
});

it('reads lists of replicas and H, and refuses those that are none', () => {
  const settings = (options: object) => settingsOf(parseScaleOptions({ corpus: ['book.txt'], ...options }));
  expect(settings({}).averaging).toBeUndefined();
  expect(settings({ replicas: '4, 2', syncEvery: '25' }).averaging).toEqual({
    ...{ replicas: [2, 4], predicted: 8, syncEvery: [25] },
  });
  for (const replicas of ['', 'two', '2', '2,2', '1,4', '2,8', '2,1e9', '2,4,', '2;4', '-2,4'])
    expect(() => settings({ replicas }), replicas).toThrow(/replicas/);
  expect(() => settings({ replicas: '2,4', syncEvery: '10,x' })).toThrow(/`syncEvery` must be whole numbers/);
  expect(() => settings({ replicas: '2,3' })).toThrow('3 replicas cannot share the 16 sequences of `batchSize`');
});
