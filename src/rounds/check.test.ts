import { describe, expect, it } from 'vitest';
import { isObjection, objectionToRound, objectionToRun, senderOf } from './check.js';
import type { Heartbeat } from './events.js';
import { from, MACHINES, Play } from './play.test-support.js';

const beat = (worker: string, incarnation = 1): Heartbeat => ({
  ...from(worker, incarnation),
  type: 'heartbeat',
  holds: null,
  round: null,
});
const play = new Play(MACHINES).join('a', 2).join('gone', 5).leave('gone', 5);
play.tell({ type: 'evict', worker: 'bad', reason: 'test' });

describe('who may speak', () => {
  it('knows its workers', () => {
    const sender = senderOf(play.state, beat('a', 2));
    expect(isObjection(sender)).toBe(false);
    expect(sender).toMatchObject({ worker: 'a', incarnation: 2 });
  });

  it.each([
    { message: beat('b'), code: 'unknown-worker', reason: 'b is not in the run; join' },
    { message: beat('gone', 5), code: 'unknown-worker', reason: 'incarnation 5 has left' },
    { message: beat('a', 1), code: 'old-incarnation', reason: 'a lives on as incarnation 2' },
    { message: beat('a', 3), code: 'new-incarnation', reason: '3 must join first' },
    { message: beat('bad'), code: 'evicted', reason: 'bad was evicted' },
    { message: beat('', 1), code: 'malformed', reason: 'a worker needs a name' },
    { message: beat('a', Number.NaN), code: 'malformed', reason: 'a whole number as incarnation' },
    { message: beat('__proto__'), code: 'unknown-worker', reason: '__proto__ is not in the run' },
    { message: { ...beat('a', 2), run: 'other' }, code: 'wrong-run', reason: 'this is run run' },
  ])('$code: $reason', ({ message, code, reason }) => {
    const objection = senderOf(play.state, message);
    expect(objection).toMatchObject({ code, reason: expect.stringContaining(reason) });
  });

  it('nobody once the run is over', () => {
    const over = new Play(MACHINES).tell({ type: 'stop' });
    expect(objectionToRun(over.state, beat('a'))).toMatchObject({ code: 'stopped' });
  });
});

it('tells past, present and future rounds apart', () => {
  expect([1, 2, 3, 2.5, Number.NaN].map((got) => objectionToRound(got, 2, 'it')?.code)).toEqual([
    'past-round',
    undefined,
    'future-round',
    'malformed',
    'malformed',
  ]);
});
