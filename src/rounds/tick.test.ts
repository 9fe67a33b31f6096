import { describe, expect, it } from 'vitest';
import { threadOptions } from './create.js';
import { Play } from './play.test-support.js';
import { randomSchedule } from './simulation/schedule.js';
import { simulate } from './simulation/simulate.js';
import { tick } from './tick.js';

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

describe('tick', () => {
  it('runs a round between threads', () => {
    const play = new Play(threadOptions(2, 25)).join('replica-1').join('replica-0').report('replica-1');
    const trace = [play.report('replica-0').types];
    trace.push(play.contribute('replica-1').types, play.contribute('replica-0').types);
    trace.push(play.tell({ type: 'merged', round: 1, hash: 'h1' }).types);
    trace.push(play.report('replica-1').types, play.report('replica-0').types);
    expect(trace).toEqual([['startRound'], ['accepted'], ['accepted', 'merge'], ['commit'], [], ['startRound']]);
    expect(play.state).toMatchObject({ round: 2, phase: 'training', committed: { round: 1, hash: 'h1' } });
  });

  it('between threads ends the same whatever the order of arrival and the time', () => {
    const orders = [
      ['a', 'b', 'c'],
      ['c', 'a', 'b'],
      ['b', 'c', 'a'],
    ].map((names, i) => {
      const play = new Play(threadOptions(3, 25));
      play.now = i * 1000;
      play.ready(...names);
      const start = play.effect('startRound');
      for (const name of names) play.contribute(name);
      return { start, merge: play.effect('merge') };
    });
    expect(orders[1]).toEqual(orders[0]);
    expect(orders[2]).toEqual(orders[0]);
  });

  it('is pure: never changes a state, is the same for the same, and survives JSON', () => {
    let ticks = 0;
    for (let seed = 0; seed < 20; seed++)
      simulate(randomSchedule(seed, 'chaos'), (state, event, now) => {
        ticks++;
        const step = tick(freeze(state), freeze(event), now);
        expect(tick(JSON.parse(JSON.stringify(state)), event, now)).toEqual(step);
        expect(step.reason).not.toBe('');
        return step;
      });
    expect(ticks).toBeGreaterThan(1000);
  });
});
