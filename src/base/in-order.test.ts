import { expect, it } from 'vitest';
import { InOrder } from './in-order.js';

it('handles what comes meanwhile after what it came from', () => {
  const said: string[] = [];
  const answers: boolean[] = [];
  const events: InOrder<number> = new InOrder((n) => {
    said.push(`begin ${n}`);
    for (let i = 1; i < n; i++) answers.push(events.add(i));
    said.push(`end ${n}`);
  });
  expect(events.add(3)).toBe(true);
  expect(said.filter((what) => what.startsWith('begin'))).toEqual(['begin 3', 'begin 1', 'begin 2', 'begin 1']);
  expect(said.slice(0, 3)).toEqual(['begin 3', 'end 3', 'begin 1']);
  expect(answers).toEqual([false, false, false]);
});
