import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { sha256File } from '../src/base/hash.js';
import { Random } from '../src/base/random.js';
import { kill } from './child.js';
import { jsonLines, meanfield, workFolder } from './command.js';
import { Trainer } from './trainer.js';

vi.setConfig({ testTimeout: 300_000 });

const at = workFolder();
let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

test('a student of a teacher ends better than without, at equal steps, on real text', async () => {
  const plays = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
  await writeFile(at('plays.txt'), plays.slice(0, 150_000));
  const train = async (run: string, ...options: string[]) => {
    const plain = ['--model', 'gpt2', '--optimizer', 'adamw', '--schedule', 'cosine'];
    const common = [...plain, '--context', '32', '--eval-every', '300', '--threads', '1', '--json'];
    const done = await meanfield('train', at('plays.txt'), '--run', at(run), ...common, ...options);
    expect(done.code, done.stderr).toBe(0);
    return jsonLines(done).at(-1) as Record<string, number>;
  };
  const large = ['--layers', '2', '--width', '64', '--heads', '4', '--batch-size', '16', '--lr', '0.004'];
  const teacher = await train('teacher', ...large, '--tokenizer', 'chars', '--steps', '600');
  const small = ['--layers', '1', '--width', '24', '--heads', '2', '--batch-size', '8', '--steps', '300'];
  const alone = await train('alone', ...small, '--tokenizer', 'chars');
  const taught = await train('taught', ...small, '--teacher', at('teacher'));
  expect(taught.val_loss).toBeGreaterThan(teacher.val_loss!);
  // Measured with three seeds: 0.044 to 0.066 nats a token.
  expect(taught.val_loss).toBeLessThan(alone.val_loss! - 0.02);
  const info = await meanfield('info', at('taught'), '--json');
  expect(jsonLines(info).at(-1)).toMatchObject({
    configuration: { teacher: at('teacher'), teacherWeight: 0.5, teacherTemperature: 1 },
    chosen: { teacher: { model: at('teacher'), parameters: expect.any(Number), config: { n_layer: 2 } } },
  });
  for (const [wrong, message] of [
    [['--teacher-weight', '2'], '--teacher-weight'],
    [['--context', '64'], 'reads at most 32 tokens, and a window of this run has 64. Take --context 32'],
    [['--tokenizer', 'bytes'], '--tokenizer: a student has the tokens of the model that --teacher names'],
    [['--eval-file', at('plays.txt'), '--validation-fraction', '0.2'], 'Leave one of them out'],
  ] as const) {
    const refused = await meanfield('train', at('plays.txt'), '--run', at('no'), '--teacher', at('teacher'), ...wrong);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
  }
  const elsewhere = await meanfield('cluster', 'start', at('plays.txt'), '--teacher', at('teacher'));
  expect([elsewhere.code, elsewhere.stderr]).toEqual([2, expect.stringContaining('--teacher')]);
});

test('a run with a teacher goes on after kill -9, bit for bit as if never stopped', async () => {
  const teacher = await trainer.train('teacher', { width: 48, steps: 60, evalEvery: 60 });
  expect(teacher.error).toBeUndefined();
  const long = {
    ...{ teacher: trainer.path('teacher'), tokenizer: undefined, replicas: 2, layers: 1, width: 16 },
    ...{ steps: 400, checkpointEvery: 20, evalEvery: 60 },
  };
  const whole = await trainer.train('whole', long);
  expect(whole.error).toBeUndefined();
  const random = new Random(Date.now());
  for (let kills = 0; kills < 2; kills++) {
    const training = trainer.start('killed', { ...long, resume: kills > 0 });
    const from = await training.event('started');
    await training.event('checkpoint', ('step' in from ? from.step : 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, random.below(150)));
    await kill(training.process);
  }
  const last = await trainer.train('killed', { ...long, resume: true });
  expect(last.error).toBeUndefined();
  const remains = async (run: string) => ({
    metrics: await trainer.metrics(run),
    best: await sha256File(join(trainer.path(run), 'model/model.safetensors')),
    moments: await sha256File(join(trainer.path(run), 'checkpoints/000400/optimizer.safetensors')),
    teacher: JSON.parse(await readFile(join(trainer.path(run), 'run.json'), 'utf8')).chosen.teacher,
  });
  expect(await remains('killed')).toEqual(await remains('whole'));
});
