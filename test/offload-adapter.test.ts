import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { sha256File } from '../src/base/hash.js';
import type { TrainOptions } from '../src/run/options.js';
import { jsonLines, meanfield } from './command.js';
import { Trainer } from './trainer.js';

// Several runs a test, on machines that may have other work.
vi.setConfig({ testTimeout: 300_000 });

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

const sizes: Partial<TrainOptions> = { replicas: 1, threads: 1, optimizer: 'adamw', clip: 0.3 };

it('an adapter beside a base on disk goes on after kill -9 at random moments, bit for bit as if never stopped', async () => {
  await trainer.train('base', { ...sizes, steps: 10, evalEvery: 10 });
  const base = { adapter: 'lora', rank: 4, from: trainer.path('base'), offload: 'all' } as const;
  // What the base has decided.
  const own = { layers: undefined, width: undefined, heads: undefined, tokenizer: undefined };
  const long = { replicas: 1, threads: 1, clip: 0.3, gradAccum: 2, steps: 80, checkpointEvery: 10, evalEvery: 40 };
  const options = { ...base, ...own, ...long } as Partial<TrainOptions>;
  const undisturbed = await trainer.train('whole', options);
  expect(undisturbed.error).toBeUndefined();
  const last = await trainer.trainKilled('killed', options, 250);
  expect(last.error).toBeUndefined();
  const remains = async (run: string) => ({
    metrics: await trainer.metrics(run),
    best: await sha256File(join(trainer.path(run), 'model/adapter_model.safetensors')),
  });
  expect(await remains('killed')).toEqual(await remains('whole'));
});

it('conversations beside a base on disk are learned as beside one in memory', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({
    messages: [
      { role: 'user', content: `Is ${i} even?` },
      { role: 'assistant', content: i % 2 === 0 ? `${i} is even.` : 'No.' },
    ],
  }));
  const at = (name: string) => join(trainer.folder, name);
  await writeFile(at('chats.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await trainer.train('talker', { ...sizes, context: 96, tokenizer: 'bytes', steps: 10 });
  const losses: number[][] = [];
  for (const offload of ['none', 'all']) {
    const outcome = await meanfield(
      ...['train', at('chats.jsonl'), '--run', at(`chats-${offload}`), '--objective', 'chat', '--offload', offload],
      ...[
        '--from',
        at('talker'),
        '--adapter',
        'lora',
        '--rank',
        '4',
        '--context',
        '96',
        '--replicas',
        '1',
        '--clip',
        '0.3',
      ],
      ...[
        '--threads',
        '1',
        '--batch-size',
        '4',
        '--grad-accum',
        '2',
        '--steps',
        '20',
        '--eval-every',
        '10',
        '--sync-every',
        '10',
        '--json',
      ],
    );
    expect(outcome.code).toBe(0);
    losses.push(
      jsonLines(outcome).flatMap(({ type, val_loss }) => (type === 'evaluation' ? [val_loss as number] : [])),
    );
  }
  const [whole, streamed] = losses as [number[], number[]];
  expect(whole).toHaveLength(2);
  expect(whole[1]).toBeLessThan(whole[0]! - 0.01);
  expect(streamed).toHaveLength(2);
  for (const [i, loss] of streamed.entries()) expect(Math.abs(loss / whole[i]! - 1)).toBeLessThan(1e-5);
});
