import { expect, test } from 'vitest';
import { EventQueue } from '../../base/event-queue.js';
import { toldWork } from '../../base/told-work.js';
import { follow } from './follow.js';
import { testOutput } from './test-output.js';

/** Work that ends when it is told to, or fails; what it and its display did, in order. */
function followed(told: readonly { readonly type: string; readonly bigStep: number }[]) {
  const output = testOutput(true);
  const events = new EventQueue<{ readonly type: string; readonly bigStep: number }>();
  const closing = new AbortController();
  const done: string[] = [];
  let finish: (result: { readonly type: 'result'; readonly allSteps: number }) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const work = new Promise<{ readonly type: 'result'; readonly allSteps: number }>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  for (const event of told) events.push(event);
  const stop = () => {
    done.push('stop');
    finish({ type: 'result', allSteps: 7 });
  };
  const display = { show: ({ bigStep }: { bigStep: number }) => void done.push(`show ${bigStep}`), end: () => {} };
  const summary = ({ allSteps }: { allSteps: number }) => `${allSteps} steps\n`;
  const result = follow(
    toldWork(work, events, () => {}),
    { output, closed: closing.signal },
    {
      ...{ display, stop, summary },
      stopping: 'stopping',
    },
  );
  return { output, closing, done, result, fail };
}

const events = [1, 2].map((bigStep) => ({ type: 'step', bigStep }));

test('programs hear of every event and of the result; a reader that goes away ends the work', async () => {
  const { output, closing, done, result } = followed(events);
  const before = process.listenerCount('SIGINT');
  await new Promise(setImmediate);
  closing.abort();
  expect(await result).toEqual({ type: 'result', allSteps: 7 });
  expect(done).toEqual(['show 1', 'show 2', 'stop']);
  expect(output.stdout.map((line) => JSON.parse(line))).toEqual([
    { type: 'step', big_step: 1 },
    { type: 'step', big_step: 2 },
    { type: 'result', all_steps: 7 },
  ]);
  expect(process.listenerCount('SIGINT')).toBe(before - 1);
});

test('an interrupt ends the work, and is told', async () => {
  const { output, done, result } = followed([]);
  process.emit('SIGTERM', 'SIGTERM');
  await result;
  expect(done).toEqual(['stop']);
  expect(output.stderr.join('')).toContain('stopping (SIGTERM)');
});

test('a failure comes out, and signals are given back', async () => {
  const before = process.listenerCount('SIGINT');
  const { result, fail } = followed(events);
  fail(new Error('no more disk'));
  await expect(result).rejects.toThrow('no more disk');
  expect(process.listenerCount('SIGINT')).toBe(before);
});
