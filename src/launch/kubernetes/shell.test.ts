import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from './shell.js';

test.each(['plain-1.0', 'two words', "it's", '$HOME', '`date`', '"', '\\', '', 'a\nb', ';rm'])(
  '%j stays one word',
  (word) => {
    const { stdout } = spawnSync('/bin/sh', ['-c', `printf '[%s]' ${shellWord(word)}`], { encoding: 'utf8' });
    expect(stdout).toBe(`[${word}]`);
  },
);

test('what Kubernetes would fill in is kept from it', () => {
  expect(shellWord('$(NATS_PASSWORD)')).toBe("'$$(NATS_PASSWORD)'");
});
