import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { CLUSTER, coordinate, endLeftovers, resultOf, takePart } from './cluster.js';
import { jsonLines, meanfield, workFolder } from './command.js';

const at = workFolder();
endLeftovers();

beforeAll(async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({
    messages: [
      { role: 'user', content: `What comes after ${i}?` },
      { role: 'assistant', content: `It is ${i + 1}.` },
    ],
  }));
  const pairs = Array.from({ length: 30 }, (_, i) => ({ prompt: `${i}? `, chosen: 'Sure.', rejected: 'No.' }));
  const lines = (list: readonly object[]) => list.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFile(at('chats.jsonl'), lines(rows));
  await writeFile(at('pairs.jsonl'), lines(pairs));
});

describe.skipIf(!natsThere)('machines that learn conversations (skipped without nats-server)', () => {
  test('fetch the training rows alone, and a model that answers comes out', async () => {
    const options = [
      ...CLUSTER,
      '--objective',
      'chat',
      '--tokenizer',
      'bytes',
      '--context',
      '96',
      '--min-workers',
      '2',
    ];
    const coordinator = await coordinate(at('run'), at('chats.jsonl'), ...options);
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at(`cache-${name}`)));
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(resultOf(outcome)).toMatchObject({ type: 'result', objective: 'chat', replicas: 2, interrupted: false });
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    const { chosen } = JSON.parse(await readFile(at('run/run.json'), 'utf8'));
    expect(chosen.objective).toEqual({ name: 'chat', packed: true });
    const cached = (name: string) => readFile(at(`cache-a/${chosen.data.fingerprint}/${name}`));
    expect(await cached('train-rows.u32')).toEqual(await readFile(at('run/tokens/train-rows.u32')));
    await expect(cached('validation-rows.u32')).rejects.toThrow('ENOENT');
    const measured = await meanfield('eval', at('run'), at('chats.jsonl'), '--json');
    expect(measured.code, measured.stderr).toBe(0);
    expect(jsonLines(measured).at(-1)).toMatchObject({ objective: 'chat', rows: 60 });

    // Preferences go on from it, with the log probabilities of the reference beside the rows.
    const beside = ['--from', at('run'), '--batch-size', '2', '--steps', '20', '--host', '127.0.0.1', '--grace', '1'];
    const prefers = await coordinate(at('better'), at('pairs.jsonl'), ...beside);
    const member = takePart(prefers.invitation, 'c', at('cache-c'));
    const better = await prefers.done;
    expect(better.code, better.stderr).toBe(0);
    expect(resultOf(better)).toMatchObject({ objective: 'preference' });
    expect((await member.done).code).toBe(0);
  }, 300_000);
});
