import { expect, test } from 'vitest';
import { testOutput } from './test-output.js';

test.each([true, false])('with json %s a line goes where it belongs', (json) => {
  const output = testOutput(json);
  output.event({ type: 'progress', step: 1 });
  output.text('for a person\n');
  output.note('note\n');
  expect(output.stdout).toEqual(json ? ['{"type":"progress","step":1}\n'] : ['for a person\n']);
  expect(output.stderr).toEqual(['note\n']);
});

test('a terminal that cannot go back is not live', () => {
  const before = process.env.TERM;
  try {
    process.env.TERM = 'dumb';
    expect(testOutput(false, true).live).toBe(false);
    process.env.TERM = 'xterm';
    expect(testOutput(false, true).live).toBe(true);
    expect(testOutput(false, false).live).toBe(false);
  } finally {
    if (before === undefined) delete process.env.TERM;
    else process.env.TERM = before;
  }
});
