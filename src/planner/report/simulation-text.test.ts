import { expect, test } from 'vitest';
import { criticalPathText, summaryText } from './simulation-text.js';

test('a summary shows times as times, counts as counts, and parts below their whole', () => {
  const text = summaryText({
    kind: 'pipeline',
    seconds: 0.34,
    rounds: { committed: 10, aborted: 0 },
    tokens: { computed: 25_401_344.25 },
    bubble: 0.088153,
    closedForm: null,
    stages: [{ idle: 1 }],
  });
  expect(text).toBe(
    [
      'kind               pipeline',
      'seconds              340 ms',
      'rounds',
      '  committed              10',
      '  aborted                 0',
      'tokens',
      '  computed       25,401,344',
      'bubble              0.08815',
      'closed form  does not apply',
      '',
    ].join('\n'),
  );
});

test('a critical path tells who waited for whom, how long and why', () => {
  const text = criticalPathText([
    { what: 'ready', from: 'worker 7', to: 'worker 7', start: 0, end: 60, limit: 'the steps of worker 7' },
    { what: 'contribution', from: 'worker 7', to: 'worker 2', start: 60, end: 60.5, limit: 'the line from worker 7' },
  ]);
  expect(text).toBe(
    [
      '',
      'Critical path:',
      '              where                 starts at   takes  bound by',
      'ready         worker 7                    0 s    60 s  the steps of worker 7',
      'contribution  worker 7 to worker 2       60 s  500 ms  the line from worker 7',
      '',
    ].join('\n'),
  );
});
