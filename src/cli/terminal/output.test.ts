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

test('a figure that is not finite is no line', () => {
  const output = testOutput(true);
  expect(() => output.event({ type: 'result', loss: Number.NaN })).toThrow('The figure loss is NaN');
  expect(output.stdout).toEqual([]);
});

test('what a terminal would obey goes out as an escape, wherever it goes', () => {
  const hostile = 'a\x1b[2J\u009b1m\rb\n';
  const output = testOutput(false, true);
  output.text(hostile);
  output.exact(hostile);
  output.page(hostile);
  output.note(hostile);
  output.redraw(hostile.trim());
  const shown = 'a\\x1b[2J\\x9b1m\\rb';
  expect(output.stdout).toEqual([`${shown}\n`, `${shown}\n`, `\x1b[H\x1b[J${shown}\n`]);
  expect(output.stderr).toEqual([`${shown}\n`, `\r\x1b[K${shown}`]);
  const file = testOutput(false, false);
  file.exact(hostile);
  expect(file.stdout).toEqual([hostile]);
  const json = testOutput(true);
  json.event({ hostile });
  expect(json.stdout.join('')).not.toContain('\u009b');
  expect(JSON.parse(json.stdout.join(''))).toEqual({ hostile });
});

test('a style is for a terminal alone, and for none where colours are not wanted', () => {
  const before = [process.env.TERM, process.env.NO_COLOR];
  const shown = (isTTY: boolean) => {
    const output = testOutput(false, isTTY);
    output.text('a\x1b[1m', 'good');
    output.note('b\n', 'dim');
    return [...output.stdout, ...output.stderr];
  };
  try {
    [process.env.TERM, process.env.NO_COLOR] = ['xterm', ''];
    expect(shown(true)).toEqual(['\x1b[32ma\\x1b[1m\x1b[0m', '\x1b[2mb\x1b[0m\n']);
    expect(shown(false)).toEqual(['a\\x1b[1m', 'b\n']);
    process.env.NO_COLOR = '1';
    expect(shown(true)).toEqual(['a\\x1b[1m', 'b\n']);
  } finally {
    for (const [i, name] of (['TERM', 'NO_COLOR'] as const).entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
  }
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
