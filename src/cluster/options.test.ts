import { expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { COMMAND_LINE, messageIn } from '../base/spelling.js';
import { parseClusterOptions, trainOptionsBetweenMachines } from './options.js';

it('fills in defaults', () => {
  expect(parseClusterOptions({ data: { path: '/tokens' } })).toMatchObject({
    ...{ quorum: 0.5, grace: 10, minWorkers: 1, format: 'fp32', momentsFormat: 'bf16', merge: 'mean' },
    ...{ fragments: 1, data: { path: '/tokens' } },
  });
});

it('names every option that is wrong as its reader spells it', () => {
  const wrong = { quorum: 2, minWorkers: 0, format: 'int2', roundTimeout: 0 } as never;
  expect(() => parseClusterOptions(wrong)).toThrow(UsageError);
  for (const name of ['quorum', 'minWorkers', 'format', 'roundTimeout'])
    expect(() => parseClusterOptions(wrong)).toThrow(`\`${name}\` `);
  let error: unknown;
  try {
    parseClusterOptions(wrong);
  } catch (thrown) {
    error = thrown;
  }
  expect(messageIn(COMMAND_LINE, error as Error)).toMatch(/--format .*--min-workers .*--quorum .*--round-timeout /);
  for (const momentsFormat of ['int8', 'int4'])
    expect(() => parseClusterOptions({ momentsFormat } as never)).toThrow(
      /`momentsFormat` must be fp32 or bf16: .*second moments to 0.*, got "int/,
    );
  expect(() => parseClusterOptions({ data: { http: 'ftp://x' } })).toThrow('`data` ');
});

it('has no teacher', () => {
  const given = { corpus: ['book.txt'], teacher: 'runs/large' };
  expect(() => trainOptionsBetweenMachines(given)).toThrow(
    "`teacher: 'runs/large'`: machines that join are not sent a teacher.",
  );
});
