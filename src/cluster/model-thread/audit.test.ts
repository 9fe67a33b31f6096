import { afterAll, afterEach, expect, it } from 'vitest';
import { testData, tinyModel } from '../../local/local.test-support.js';
import { initialParameters } from '../../run/start-vectors.js';
import { meanLoss } from '../../training/evaluation.js';
import { CommittedModelThread } from './thread.js';
import { hostSetupOf } from './thread.test-support.js';

const data = await testData(4000);
const model = tinyModel(data.vocabulary);
afterAll(() => data.remove());
const threads: CommittedModelThread[] = [];
afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.handle('close', null);
});

/** With the plain average: one contribution alone is what is committed. */
async function hostOf(trains: boolean): Promise<CommittedModelThread> {
  const thread = new CommittedModelThread();
  threads.push(thread);
  const outer = { method: 'average', learningRate: 1, momentum: 0 } as const;
  const setup = hostSetupOf(data, model, trains, { outer, fragments: 2 });
  await thread.handle('init', setup);
  await thread.handle('load', [initialParameters(model, 5)]);
  return thread;
}

const windows = Array.from({ length: 10 }, (_, i) => 8 * i);

async function contributed(fragment: number) {
  const member = await hostOf(true);
  const work = { steps: 3, fragment, position: 0, advance: 3, lease: [{ epoch: 0, start: 0, end: 6 }] };
  return (await member.handle('train', work))!;
}

it('evaluates what one contribution makes of the base, before it is committed and after', async () => {
  const keeper = await hostOf(false);
  const { parts, norm } = await contributed(1);
  const before = await keeper.handle('audit', { fragment: 1, base: 'committed', parts, windows });
  const first = meanLoss([await keeper.handle('evaluate', windows)]);
  expect(before.base).toBeCloseTo(first, 5);
  expect(before.committed).toBe(before.base);
  expect(before.norm).toBeCloseTo(norm, 5);
  await keeper.handle('apply', { fragment: 1, parts });
  const after = await keeper.handle('audit', { fragment: 1, base: 'before', parts, windows });
  const second = meanLoss([await keeper.handle('evaluate', windows)]);
  expect(second).not.toBeCloseTo(first, 3);
  expect(after.base).toBeCloseTo(first, 5);
  expect(after.committed).toBeCloseTo(second, 5);
  // The plain average of one contribution is that contribution.
  expect(after.contribution).toBeCloseTo(second, 5);
  expect(before.contribution).toBeCloseTo(second, 5);
});

it('lets a commit through while it evaluates, and is not moved by it', async () => {
  const keeper = await hostOf(false);
  const { parts } = await contributed(0);
  const undisturbed = await keeper.handle('audit', { fragment: 0, base: 'committed', parts, windows });
  const order: string[] = [];
  const audit = keeper.handle('audit', { fragment: 0, base: 'committed', parts, windows }).then((losses) => {
    order.push('audit');
    return losses;
  });
  const apply = keeper.handle('apply', { fragment: 0, parts }).then(() => order.push('apply'));
  expect(await audit).toEqual(undisturbed);
  await apply;
  expect(order).toEqual(['apply', 'audit']);
});

it('refuses what it cannot try', async () => {
  const keeper = await hostOf(false);
  const { parts } = await contributed(0);
  const audit = (changes: object) =>
    keeper.handle('audit', { fragment: 0, base: 'committed', parts, windows, ...changes } as never);
  await expect(audit({ base: 'before' })).rejects.toThrow('the coordinator has started again since');
  await keeper.handle('apply', { fragment: 0, parts });
  await expect(audit({ fragment: 1, base: 'before' })).rejects.toThrow('not held any more');
  await expect(audit({ parts: parts.slice(1) })).rejects.toThrow('none of this run');
  await expect(audit({ fragment: 9 })).rejects.toThrow('none of this run');
  await expect(audit({ parts: parts.map((part) => part.subarray(1)) })).rejects.toThrow('bytes');
  await keeper.handle('load', [initialParameters(model, 5)]);
  await expect(audit({ base: 'before' })).rejects.toThrow('not held any more');
});
