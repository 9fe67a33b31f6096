import { expect, test } from 'vitest';
import { UsageError } from './errors.js';
import { CODE, COMMAND_LINE, messageIn, optionName, spelledError } from './spelling.js';

test('options are spelled as they are written', () => {
  expect(['model', 'topP', 'kvHeads'].map(optionName)).toEqual(['--model', '--top-p', '--kv-heads']);
  const written = ({ option }: typeof CODE) => [
    ...[option('kvHeads'), option('kvHeads', 2), option('outer', 'average')],
    ...[option('resume', true), option('adaptiveSteps', false)],
  ];
  expect(written(CODE)).toEqual([
    ...['`kvHeads`', '`kvHeads: 2`', "`outer: 'average'`", '`resume: true`', '`adaptiveSteps: false`'],
  ]);
  expect(written(COMMAND_LINE)).toEqual([
    ...['--kv-heads', '--kv-heads 2', '--outer average', '--resume', '--no-adaptive-steps'],
  ]);
});

test('an error speaks as its reader writes', () => {
  const error = spelledError(UsageError, ({ option, help }) => `Give ${option('minLr')}.${help('train')}`);
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe('Give `minLr`.');
  expect(messageIn(CODE, error)).toBe('Give `minLr`.');
  expect(messageIn(COMMAND_LINE, error)).toBe('Give --min-lr. See meanfield train --help.');
  expect(messageIn(COMMAND_LINE, new Error('as it is'))).toBe('as it is');
});
