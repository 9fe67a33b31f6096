import { afterEach, expect, it } from 'vitest';
import { messageOf } from '../../base/errors.js';
import { OrderGiver } from '../../transport/orders.js';
import { event, TestCluster } from '../cluster.test-support.js';
import { ASK } from '../protocol/admission.js';
import { upMessage } from '../protocol/up.js';
import { decodeMessage } from '../protocol/wire.js';
import type { ClusterAudit } from '../status.js';

let cluster: TestCluster | undefined;
let run = '';
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

type Answer = { readonly done: boolean; readonly reason: string; readonly audit: ClusterAudit };

async function ask(content: unknown): Promise<Answer> {
  const { transport, key } = cluster!.network.connect();
  try {
    const audit = await new OrderGiver(transport.control, key, run).give(ASK.audit, content, 5000);
    return { done: true, reason: '', audit: audit as ClusterAudit };
  } catch (error) {
    return { done: false, reason: messageOf(error), audit: undefined as never };
  }
}

/** A run of two workers whose next contribution is held back, so that a round stays open. */
async function held(rounds: number) {
  cluster = await TestCluster.create({ steps: 60, evalEvery: 5, lr: 2e-3 }, { minWorkers: 2, adaptiveSteps: false });
  const { network } = cluster;
  let heldBack = '';
  network.filter = (address, bytes) => {
    if (address.to !== 'up') return true;
    const message = decodeMessage(bytes, upMessage, 'a message');
    if (message.type !== 'contribution' || message.round <= rounds) return true;
    heldBack ||= message.worker;
    return message.worker !== heldBack;
  };
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  await event(coordinator.events, 'round', ({ round }) => round === rounds);
  const names = workers.flatMap(({ events }) => events.flatMap((one) => (one.type === 'joined' ? one.workers : [])));
  const inRound = () => coordinator.run.status()!.workers.find((one) => one.inRound === 'contributed')?.worker;
  while (inRound() === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  run = coordinator.run.status()!.run;
  const contributed = inRound()!;
  return { coordinator, network, contributed, missing: names.find((name) => name !== contributed)! };
}

it('tells what one contribution alone does to the loss, in the round in progress and in the last one', async () => {
  const { coordinator, contributed, missing } = await held(3);
  const after = (step: number) => event(coordinator.events, 'evaluation', (one) => one.step === step);
  const [before, now] = [await after(10), await after(15)];
  const { audit: last } = await ask({ worker: missing, windows: 65_536 });
  expect(last).toMatchObject({ worker: missing, round: 3, committed: true, tokens: 5 * 32 });
  // All windows: the same as the coordinator's own evaluations, after rounds 2 and 3.
  expect(last.committed_loss).toBeCloseTo(now.valLoss, 5);
  expect(last.base_loss).toBeCloseTo(before.valLoss, 5);
  expect(last.contribution_loss!).toBeLessThan(last.base_loss!);
  expect(last.norm).toBeCloseTo(last.told_norm, 4);

  const { audit: open } = await ask({ worker: contributed, windows: 8 });
  expect(open).toMatchObject({ worker: contributed, round: 4, committed: false, windows: 8 });
  expect(open.committed_loss).toBe(open.base_loss);
  expect(open.contribution_loss).not.toBe(open.base_loss);
  // The run goes on.
  cluster!.network.filter = () => true;
  await event(coordinator.events, 'round', ({ round }) => round === 6);
});

it('says what cannot be audited, and why', async () => {
  const { network, missing, contributed } = await held(2);
  const reason = async (content: unknown) => {
    const answer = await ask(content);
    expect(answer.done).toBe(false);
    return answer.reason;
  };
  const none = await reason({ worker: 'stranger', windows: 8 });
  expect(none).toContain('neither to the round in progress (3) nor to the last one committed (2)');
  for (const name of [contributed, missing]) expect(none.slice(none.indexOf('audited: '))).toContain(name);
  for (const bad of [
    {},
    { worker: '../x', windows: 8 },
    { worker: missing, windows: 0 },
    { worker: missing, windows: 1e9 },
  ])
    expect(await reason(bad)).toContain('whom to audit');
  const first = ask({ worker: missing, windows: 65_536 });
  expect(await reason({ worker: missing, windows: 8 })).toContain('one at a time');
  expect((await first).done).toBe(true);
  network.blobs.get(`${missing}/c/2/0/1`)![3]! ^= 1;
  expect(await reason({ worker: missing, windows: 8 })).toContain('is damaged');
  for (const key of network.blobs.keys()) if (key.startsWith(`${missing}/c/2/`)) network.blobs.delete(key);
  expect(await reason({ worker: missing, windows: 8 })).toContain('is not there any more');
});

it('keeps contributions for one round and no longer, and none when the run is over', async () => {
  const { coordinator, network, contributed, missing } = await held(4);
  const kept = () =>
    [...network.blobs.keys()].filter((key) => key.includes('/c/')).map((key) => Number(key.split('/')[2]));
  expect(new Set(kept().filter((round) => round < 4))).toEqual(new Set());
  expect(network.blobs.has(`${contributed}/c/4/0/list`)).toBe(true);
  expect(network.blobs.has(`${missing}/c/4/0/list`)).toBe(true);
  network.filter = () => true;
  await coordinator.run.result;
  expect(kept()).toEqual([]);
});
