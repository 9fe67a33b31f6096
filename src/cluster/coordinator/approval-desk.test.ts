import { expect, it, vi } from 'vitest';
import { NOT_APPROVED, WAITING } from '../protocol/admission.js';
import { ApprovalDesk } from './approval-desk.js';
import { idOf } from './approvals.js';
import { Play } from './coordinator.test-support.js';
import { decodeState, encodeState } from './run-state.js';

function opened(play = new Play()) {
  let now = 0;
  const onAsked = vi.fn();
  const happen = vi.fn(async (input: Parameters<Play['happen']>[0]) => void play.happen(input));
  const desk = new ApprovalDesk(
    () => play.state.approvals,
    happen,
    onAsked,
    () => now,
  );
  const objection = (key: string) => desk.objection({ key, host: 'box', address: '10.0.0.7', replicas: 2 });
  return { play, desk, happen, onAsked, objection, later: (milliseconds: number) => (now += milliseconds) };
}

it('lets nobody in before a person says so, and those who were approved', async () => {
  const { desk, happen, onAsked, objection, later } = opened();
  const id = idOf('k');
  expect(await objection('k')).toEqual({ code: WAITING, reason: id });
  expect(await objection('k')).toEqual({ code: WAITING, reason: id });
  expect(onAsked).toHaveBeenCalledOnce();
  expect(happen).toHaveBeenCalledOnce();
  expect([desk.isPatient('k'), desk.isPatient('other')]).toEqual([false, false]);
  later(2000);
  expect(desk.isPatient('k')).toBe(true);
  await expect(desk.decide(idOf('other'), 'approved')).rejects.toThrow(/No machine .* waits for approval/);
  expect(await desk.decide(id, 'approved')).toMatchObject({ host: 'box' });
  expect(await objection('k')).toBeNull();
  expect(await objection('other')).toMatchObject({ code: WAITING });
  await desk.decide(idOf('other'), 'refused');
  expect(await objection('other')).toEqual({ code: NOT_APPROVED, reason: expect.stringContaining('has refused') });
  desk.close();
});

it('has 32 wait; who is silent makes room', async () => {
  const { play, desk, objection, later } = opened();
  for (let i = 0; i < 32; i++) expect(await objection(`k${i}`)).toMatchObject({ code: WAITING });
  expect(await objection('late')).toEqual({ code: NOT_APPROVED, reason: expect.stringContaining('which is the most') });
  later(59_999);
  await objection('k7');
  later(1);
  await desk.forgetSilent();
  expect(play.state.approvals.map(({ key }) => key)).toEqual(['k7']);
  expect(await objection('late')).toMatchObject({ code: WAITING });
  desk.close();
});

it('is found again by a coordinator that is started anew', async () => {
  const first = opened();
  await first.objection('a');
  await first.objection('b');
  await first.desk.decide(idOf('a'), 'approved');
  first.desk.close();
  const state = decodeState(encodeState(first.play.state), 'the message system');
  const second = opened(new Play(undefined, state));
  expect(await second.objection('a')).toBeNull();
  expect(await second.objection('b')).toMatchObject({ code: WAITING });
  expect(second.onAsked).not.toHaveBeenCalled();
  second.later(59_999);
  await second.desk.forgetSilent();
  expect(second.play.state.approvals).toHaveLength(2);
  second.desk.close();
});
