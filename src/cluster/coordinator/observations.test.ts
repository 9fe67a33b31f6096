import { expect, it } from 'vitest';
import type { UpMessage } from '../protocol/up.js';
import { Observations } from './observations.js';

const heartbeat = (worker: string, sent: number, received: number): UpMessage => ({
  ...{ type: 'heartbeat', run: 'r', worker, incarnation: 0, holds: 1, round: 1 },
  traffic: { sent, received },
});
const contribution = (worker: string, tokens: number) =>
  ({ type: 'contribution', worker, tokens }) as Extract<UpMessage, { type: 'contribution' }>;

it('adds up traffic, contributions and refusals between commits', () => {
  let now = 0;
  const seen = new Observations(() => now);
  seen.heard(heartbeat('a', 100, 10));
  seen.heard(heartbeat('b', 50, 5));
  seen.heard(heartbeat('a', 130, 30));
  const report = (worker: string, gatherSeconds: number) =>
    seen.heard({ type: 'report', worker, gatherSeconds } as UpMessage);
  for (const [i, seconds] of [3, 1, 1e9, 2, 1].entries()) report(`w${i}`, seconds);
  for (let i = 0; i < 9; i++) report('w2', 1e9);
  seen.contributed(contribution('a', 64));
  seen.contributed(contribution('b', 32));
  seen.refused({ worker: 'b', about: 'contribution', code: 'outlier', reason: 'too large' });
  const since = seen.committed(['a']);
  expect(since).toMatchObject({ bytes: { sent: 180, received: 35 }, refusals: 1, gather: 2 });
  expect(since.contributions).toHaveLength(1);
  expect(seen.of('a')).toEqual({ tokens: 64, rounds: 1, sent: 130, received: 30, refused: null });
  expect(seen.of('b')).toMatchObject({ tokens: 0, rounds: 0, refused: 'too large' });
  expect(seen.committed(['a'])).toMatchObject({ bytes: { sent: 0, received: 0 }, refusals: 0, contributions: [] });
  now = 3000;
  report('w2', 1e9);
  expect(seen.committed(['a']).gather).toBe(3);
  expect(seen.refusals).toMatchObject([{ worker: 'b', secondsAgo: 3 }]);
});

it('keeps the last refusals alone', () => {
  const seen = new Observations();
  for (let i = 0; i < 50; i++) seen.refused({ worker: 'w', about: 'message', code: 'malformed', reason: `${i}` });
  expect(seen.refusals).toHaveLength(20);
  expect(seen.refusals[0]!.reason).toBe('49');
});
