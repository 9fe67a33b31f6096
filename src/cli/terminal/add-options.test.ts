import { Command } from 'commander';
import { expect, test } from 'vitest';
import type { OptionTable } from '../../base/option-table.js';
import { addGroups, addOptions, pickOptions } from './add-options.js';

const TABLE = {
  size: { kind: 'count', default: 2, help: 'how many' },
  copies: { kind: 'count', or: 'auto', help: 'more', otherwise: 'by size' },
  topP: { kind: 'share', help: 'of them' },
  kind: { kind: 'choice', choices: ['a', 'b'], default: 'a', help: 'which' },
  slow: { kind: 'choice', choices: ['a', 'b'], reason: 'c is too slow', help: 'which' },
  steady: { kind: 'flag', default: true, help: 'otherwise it moves' },
  open: { kind: 'flag', help: 'lets in', no: 'keeps out' },
  from: { kind: 'source', help: 'where' },
  host: { kind: 'texts', help: 'whose' },
  port: { kind: 'port', help: 'at' },
} as const satisfies OptionTable;

function parse(...args: string[]): Record<string, unknown> {
  const command = addOptions(new Command(), TABLE)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command.parse(args, { from: 'user' }).opts();
}

test('flags are read as the table says', () => {
  expect(parse()).toEqual({ steady: true });
  const text =
    '--size 3 --copies auto --top-p 1 --kind b --no-steady --no-open --from path:/x --host h --host i --port 0';
  expect(parse(...text.split(' '))).toEqual({
    ...{ size: 3, copies: 'auto', topP: 1, kind: 'b', steady: false, open: false },
    ...{ from: { path: '/x' }, host: ['h', 'i'], port: 0 },
  });
  expect(parse('--from', 'https://host/x', '--open')).toMatchObject({ from: { http: 'https://host/x' }, open: true });
});

test.each([
  [['--size', '0'], 'Expected a whole number of 1 or more.'],
  [['--copies', 'all'], 'Expected a whole number of 1 or more, or auto.'],
  [['--top-p', '1.5'], 'Expected a number above 0 and of 1 or less, such as 0.1.'],
  [['--kind', 'c'], 'Allowed choices are a, b.'],
  [['--slow', 'c'], 'Allowed choices are a, b: c is too slow.'],
  [['--from', 'path:'], 'Expected send, path: and a folder'],
  [['--port', '65536'], 'Expected a whole number from 0 to 65535.'],
])('%j is refused with what is allowed', (args, message) => {
  expect(() => parse(...args)).toThrow(message);
});

test('the help has a heading for each group, and tells defaults and choices', () => {
  const { copies, ...others } = TABLE;
  const text = addGroups(new Command('x'), { First: { copies }, Second: others })
    .configureHelp({ helpWidth: 200 })
    .helpInformation();
  expect(text).toMatch(/First:\n +--copies <n\|auto> +more \(default: by size\)\n/);
  expect(text).toMatch(/Second:\n +--size <n> +how many \(default: 2\)\n/);
  expect(text).toMatch(/--kind <name> +which \(default: a\) \(choices: "a", "b"\)\n/);
  expect(text).toMatch(/--no-steady +otherwise it moves\n +--open +lets in\n +--no-open +keeps out\n/);
});

test('options are picked by their table', () => {
  expect(pickOptions(TABLE, { size: 1, json: true })).toEqual({ size: 1 });
});
