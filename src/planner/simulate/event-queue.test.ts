import { describe, expect, it } from 'vitest';
import { TimedEvents } from './event-queue.js';

describe('EventQueue', () => {
  it('runs by time, ties in the order added, and lets events add others', () => {
    const queue = new TimedEvents();
    const log: string[] = [];
    const note = (name: string) => () => log.push(`${name}@${queue.now}`);
    queue.at(2, note('c'));
    queue.at(1, note('a'));
    queue.at(1, () => {
      note('b')();
      queue.after(0, note('now'));
      queue.after(0.5, note('later'));
    });
    while (queue.step()) {}
    expect(log).toEqual(['a@1', 'b@1', 'now@1', 'later@1.5', 'c@2']);
    expect(queue.step()).toBe(false);
  });

  it('refuses what is past, never or no time', () => {
    const queue = new TimedEvents();
    queue.at(1, () => {});
    queue.step();
    for (const time of [0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => queue.at(time, () => {})).toThrow(`an event at ${time} s was added at 1 s`);
  });
});
