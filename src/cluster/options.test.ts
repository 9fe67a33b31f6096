import { expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { parseClusterOptions } from './options.js';

it('fills in defaults', () => {
  expect(parseClusterOptions({ data: { path: '/tokens' } })).toMatchObject({
    ...{ quorum: 0.5, grace: 10, minWorkers: 1, format: 'fp32', momentsFormat: 'bf16', merge: 'mean' },
    ...{ fragments: 1, data: { path: '/tokens' } },
  });
});

it('names every option that is wrong as the command line spells it', () => {
  const wrong = { quorum: 2, minWorkers: 0, format: 'int2', roundTimeout: 0 } as never;
  expect(() => parseClusterOptions(wrong)).toThrow(UsageError);
  for (const name of ['--quorum', '--min-workers', '--format', '--round-timeout'])
    expect(() => parseClusterOptions(wrong)).toThrow(name);
  for (const momentsFormat of ['int8', 'int4'])
    expect(() => parseClusterOptions({ momentsFormat } as never)).toThrow(
      /--moments-format must be fp32 or bf16: .*second moments to 0.*, got "int/,
    );
  expect(() => parseClusterOptions({ data: { http: 'ftp://x' } })).toThrow('--data');
});
