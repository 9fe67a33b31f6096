import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { CLUSTER, coordinate, endLeftovers, resultOf, takePart } from './cluster.js';
import { jsonLines, meanfield, workFolder } from './command.js';

const at = workFolder();
endLeftovers();

const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
const rows = WORDS.flatMap((a) => WORDS.map((b) => ({ source: `${a} and ${b}`, target: `${b} ${a}` })));

beforeAll(async () => {
  await writeFile(at('rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});

describe.skipIf(!natsThere)('machines that learn targets of sources (skipped without nats-server)', () => {
  test('fetch the training rows alone, and a model that writes comes out; an adapter beside it as well', async () => {
    const options = [
      ...CLUSTER,
      '--objective',
      'seq2seq',
      '--tokenizer',
      'bpe',
      '--vocab',
      '300',
      '--min-workers',
      '2',
      '--dropout',
      '0.1',
    ];
    const coordinator = await coordinate(at('run'), at('rows.jsonl'), ...options);
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at(`cache-${name}`)));
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(resultOf(outcome)).toMatchObject({ type: 'result', objective: 'seq2seq', replicas: 2, interrupted: false });
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    const { chosen } = JSON.parse(await readFile(at('run/run.json'), 'utf8'));
    expect(chosen.objective).toMatchObject({ name: 'seq2seq', room: { source: 4, target: 3 } });
    expect(JSON.parse(await readFile(at('run/model/config.json'), 'utf8')).dropout_rate).toBe(0.1);
    const cached = (name: string) => readFile(at(`cache-a/${chosen.data.fingerprint}/${name}`));
    expect(await cached('train-rows.u32')).toEqual(await readFile(at('run/tokens/train-rows.u32')));
    await expect(cached('validation-rows.u32')).rejects.toThrow('ENOENT');
    const measured = await meanfield('eval', at('run'), at('rows.jsonl'), '--json');
    const { loss } = jsonLines(measured).at(-1) as { loss: number };
    expect(jsonLines(measured).at(-1), measured.stderr).toMatchObject({ objective: 'seq2seq', rows: 64 });

    // An adapter, beside a model that is kept in few bits.
    const beside = ['--from', at('run'), '--batch-size', '4', '--steps', '60', '--host', '127.0.0.1', '--grace', '1'];
    const adapter = ['--adapter', 'lora', '--rank', '4', '--base-dtype', 'int8', '--dropout', '0.1', '--lr', '0.01'];
    const adapts = await coordinate(at('better'), at('rows.jsonl'), ...beside, ...adapter);
    const member = takePart(adapts.invitation, 'c', at('cache-c'));
    const better = await adapts.done;
    expect(better.code, better.stderr).toBe(0);
    expect(resultOf(better)).toMatchObject({ objective: 'seq2seq' });
    expect((await member.done).code).toBe(0);
    const after = jsonLines(await meanfield('eval', at('better'), at('rows.jsonl'), '--json')).at(-1);
    expect((after as { loss: number }).loss).toBeLessThan(loss);
    const written = await meanfield('generate', at('better'), '--prompt', 'one and two', '--max-tokens', '5', '--json');
    expect(jsonLines(written).at(-1), written.stderr).toMatchObject({ type: 'result', prompt_tokens: 4 });
  }, 300_000);
});
