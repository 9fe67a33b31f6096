import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { expect, it, vi } from 'vitest';
import { limitTo } from '../bench/memory-limit.js';
import { program, workFolder } from './command.js';

// Machines may have other work.
vi.setConfig({ testTimeout: 600_000 });

const at = workFolder();
/** Between what 19 million parameters take as a whole and with their moments on disk. */
const LIMIT = 0.5;
const model = ['--model', 'gpt2', '--layers', '6', '--width', '512', '--heads', '8', '--context', '16'];
const length = ['--batch-size', '1', '--steps', '2', '--eval-every', '2', '--sync-every', '1', '--threads', '1'];

/** `meanfield train` in no more memory than the system lets it have. */
async function trainWithin(run: string, ...args: string[]) {
  const source = new URL('../examples/tinyshakespeare.txt', import.meta.url);
  await writeFile(at('text.txt'), (await readFile(source, 'utf8')).slice(0, 4000));
  const limit = await limitTo(1e9 * LIMIT);
  try {
    const train = ['train', at('text.txt'), '--run', at(run), '--tokenizer', 'bytes', '--optimizer', 'adamw', ...model];
    const command = [process.execPath, program, ...train, ...length, ...args, '--json'];
    const child = spawn('bash', ['-c', `${limit.first}; exec "$0" "$@"`, ...command], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [out] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const events = out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    return { limit: limit.name, code: child.exitCode, events };
  } finally {
    await limit.tidy();
  }
}

it('a run fits into the memory that it is given where the whole model does not, and goes on so', async ({ skip }) => {
  const given = ['--memory', String(LIMIT)];
  const { code, events, limit } = await trainWithin('fitted', ...given);
  if (limit !== 'control group') skip('`ulimit`, for who may make no control group, counts memory that nobody uses');
  expect(events.find(({ fit }) => fit !== undefined)?.fit).toMatchObject({ offload: 'moments', limit_bytes: 5e8 });
  expect([code, events.at(-1)]).toEqual([0, expect.objectContaining({ type: 'result', step: 2 })]);
  const longer = await trainWithin('fitted', '--resume', '--steps', '3');
  expect([longer.code, longer.events.at(-1)?.step]).toEqual([0, 3]);
  // The limit is one: with the model in memory the system ends the process.
  const whole = await trainWithin('whole', '--offload', 'none', '--force');
  expect([whole.code === 0, whole.events.at(-1)?.type]).toEqual([false, expect.not.stringMatching('result')]);
});
