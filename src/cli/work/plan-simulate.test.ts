import { expect, test } from 'vitest';
import { summaryText } from './plan-simulate.js';

test('a summary shows times as times, counts as counts, and parts below their whole', () => {
  const text = summaryText({
    kind: 'pipeline',
    seconds: 0.34,
    rounds: { committed: 10, aborted: 0 },
    tokens: { computed: 25_401_344 },
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
