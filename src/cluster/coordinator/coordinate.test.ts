import { afterEach, expect, it } from 'vitest';
import { event, TestCluster } from '../cluster.test-support.js';
import type { RoundEvent } from '../events.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

const rounds = (events: readonly { readonly type: string }[]) =>
  events.filter((one): one is RoundEvent => one.type === 'round');

it('trains one model on two machines, to a loss that falls, and saves it', async () => {
  cluster = await TestCluster.create({ steps: 60, evalEvery: 20 }, { minWorkers: 2, adaptiveSteps: false });
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  const result = await coordinator.run.result;
  expect(result).toMatchObject({ step: 60, tokens: 60 * 2 * 32, rounds: 12, interrupted: false });
  const losses = rounds(coordinator.events).map(({ loss }) => loss);
  expect(losses).toHaveLength(12);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.5);
  expect(result.valLoss).toBeLessThan(3.5);
  for (const worker of workers)
    expect(await worker.run.result).toMatchObject({ ended: 'finished', rounds: 12, tokens: 60 * 32 });
  const evaluations = (await cluster.metrics()).filter(({ type }) => type === 'evaluation');
  expect(evaluations.map(({ step }) => step)).toEqual([20, 40, 60]);
});

it('ends when all replicas of a machine have done their part, with moments averaged and int8', async () => {
  cluster = await TestCluster.create(
    { moments: 'average', steps: undefined, tokens: 1920 },
    { minWorkers: 3, format: 'int8' },
  );
  const coordinator = cluster.coordinator();
  const both = cluster.worker({ replicas: 2 });
  const one = cluster.worker();
  const result = await coordinator.run.result;
  expect(result.tokens).toBeGreaterThanOrEqual(1920);
  expect(result.replicas).toBe(3);
  expect((await both.run.result).workers).toHaveLength(2);
  expect((await one.run.result).ended).toBe('finished');
  expect(result.trainLoss).toBeLessThan(rounds(coordinator.events)[0]!.loss!);
  // Nothing was healed: all came to the same bits.
  expect(coordinator.events.filter(({ type }) => type === 'aborted')).toEqual([]);
});

it('trains on while fragments are exchanged', async () => {
  cluster = await TestCluster.create({ steps: 60, syncEvery: 10 }, { minWorkers: 2, fragments: 2, overlap: 1 });
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  const result = await coordinator.run.result;
  expect(result.rounds).toBeGreaterThanOrEqual(12);
  const all = rounds(coordinator.events);
  expect(all.at(-1)!.loss).toBeLessThan(all[0]!.loss! - 0.3);
  for (const worker of workers) expect((await worker.run.result).ended).toBe('finished');
  const seen = coordinator.events.filter(({ type }) => type === 'aborted' || type === 'refused');
  expect(seen).toEqual([]);
});

it('lets a machine in that comes late, and goes on without one that dies', async () => {
  cluster = await TestCluster.create({ steps: 200 });
  const coordinator = cluster.coordinator();
  const first = cluster.worker();
  await event(coordinator.events, 'round', ({ round }) => round === 4);
  const late = cluster.worker();
  await event(coordinator.events, 'round', ({ workers }) => workers.length === 2);
  first.kill();
  await event(coordinator.events, 'member', ({ change, worker }) => change === 'evicted' && worker.endsWith('-1'));
  const alone = rounds(coordinator.events).length;
  await event(coordinator.events, 'round', ({ round }) => round > alone + 1);
  const result = await coordinator.run.result;
  expect(result.step).toBeGreaterThanOrEqual(200);
  expect((await late.run.result).ended).toBe('finished');
  expect(rounds(coordinator.events).at(-1)!.workers).toHaveLength(1);
});
