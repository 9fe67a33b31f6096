import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { jsonLines, meanfield, program, start, TINY, text, workFolder } from './command.js';

const at = workFolder();
/** Long enough to be interrupted. */
const LONG = [...TINY, '--steps', '1000000'];

beforeAll(async () => {
  await writeFile(at('good.txt'), text(4000));
});

const train = (run: string, ...options: string[]) =>
  meanfield('train', at('good.txt'), '--run', at(run), ...TINY, ...options);

/** The packages beside ours whose modules a command loads in its own thread. */
async function packagesOf(...args: readonly string[]) {
  const hooks = `import { writeSync } from 'node:fs';
    export async function resolve(specifier, context, next) {
      const found = await next(specifier, context);
      writeSync(2, 'loads ' + found.url + '\\n');
      return found;
    }`;
  const url = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const preload = url(`import { register } from 'node:module'; register(${JSON.stringify(url(hooks))});`);
  const child = spawn(process.execPath, ['--import', preload, program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  const names = [...stderr.matchAll(/^loads \S*\/node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name]) => name!);
  return { code, stderr, packages: [...new Set(names)].sort() };
}

describe('a run from training to text', () => {
  beforeAll(async () => {
    const outcome = await train('whole', '--json');
    expect(outcome.code, outcome.stderr).toBe(0);
    await writeFile(at('whole.jsonl'), outcome.stdout);
  });

  test('train tells its events, the last of them the result', async () => {
    const events = (await readFile(at('whole.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toEqual({
      type: 'result',
      objective: 'causal',
      run: at('whole'),
      step: 20,
      tokens: 20 * 2 * 8,
      train_loss: expect.any(Number),
      val_loss: expect.any(Number),
      best_step: 20,
      bits_per_byte: expect.any(Number),
      ended: 'steps',
      peak_memory_bytes: expect.any(Number),
      best_val_loss: expect.any(Number),
      tokens_per_second: expect.any(Number),
      seconds: expect.any(Number),
      parameters: expect.any(Number),
      replicas: 1,
      rounds: expect.any(Number),
      interrupted: false,
    });
    const evaluations = events.filter(({ type }) => type === 'evaluation');
    expect(evaluations.map(({ step }) => step)).toEqual([10, 20]);
    const losses = evaluations.map(({ val_loss }) => val_loss);
    expect(events.at(-1).val_loss).toBe(losses.at(-1));
    expect(events.at(-1).best_val_loss).toBe(Math.min(...losses));
    const progress = events.filter(({ type }) => type === 'progress');
    expect(Object.keys(progress.at(-1)).sort()).toEqual(
      [
        ...['type', 'step', 'total_steps', 'round', 'loss', 'lr', 'tokens', 'tokens_per_second', 'eta_seconds'],
        ...['memory_bytes', 'peak_memory_bytes'],
      ].sort(),
    );
    expect(progress.at(-1)).toMatchObject({ step: 20, total_steps: 20, tokens: 320 });
  });

  test('info loads neither the models nor what reads adapters, which would double its time', async () => {
    const { packages, code, stderr } = await packagesOf('info', at('whole'));
    expect(code, stderr).toBe(0);
    expect(packages).toEqual(['commander']);
    expect((await packagesOf('generate', at('whole'), '--prompt', 'a', '--max-tokens', '1')).packages).toContain('zod');
  });

  test('info tells what it is', async () => {
    const info = jsonLines(await meanfield('info', at('whole'), '--json'));
    expect(info).toHaveLength(1);
    expect(info[0]).toMatchObject({
      type: 'result',
      kind: 'run',
      model: { family: 'qwen3', sizes: { layers: 1, width: 16, heads: 2, context: 8, vocabulary: 256 } },
      progress: { step: 20, tokens: 320, checkpoints: expect.arrayContaining([20]) },
      configuration: { batchSize: 2 },
    });
    const shown = await meanfield('info', at('whole'));
    expect(shown.stdout).toMatch(/best val loss +\d\.\d{3} at step \d+/);
    expect(shown.stderr).toBe('');
  });

  test('eval gives the loss of a text', async () => {
    const [result] = jsonLines(await meanfield('eval', at('whole'), at('good.txt'), '--json'));
    const { loss, perplexity, bits_per_byte } = result as Record<string, number>;
    expect(result).toEqual({
      type: 'result',
      objective: 'causal',
      metric: 'loss',
      value: loss,
      loss: expect.any(Number),
      perplexity: expect.any(Number),
      bits_per_byte: expect.any(Number),
      accuracy: expect.any(Number),
      tokens: text(4000).length - 1,
      bytes: text(4000).length,
    });
    expect(perplexity).toBeCloseTo(Math.exp(loss!), 6);
    expect(bits_per_byte).toBeCloseTo((loss! / Math.LN2) * ((text(4000).length - 1) / text(4000).length), 2);
  });

  test.each([[], ['--precision', 'int8']])('eval by windows that overlap: %j', async (...precision) => {
    const losses = [];
    for (const stride of [[], ['--stride', '2'], ['--stride', '8']]) {
      const outcome = await meanfield('eval', at('whole'), at('good.txt'), '--json', ...stride, ...precision);
      const [result] = jsonLines(outcome);
      expect(result!.tokens).toBe(text(4000).length - 1);
      losses.push(result!.loss as number);
    }
    // The text goes on as its last words do, so who sees more of them knows more.
    expect(losses[1]).toBeLessThan(losses[0]! - 0.001);
    expect(losses[2]).toBe(losses[0]);
    const outcome = await meanfield('eval', at('whole'), at('good.txt'), '--stride', '9', ...precision);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toMatch(/--stride is 9, and the model's context 8: .* Take 1 to 8\./s);
  });

  test('eval refuses a text of one token', async () => {
    await writeFile(at('one.txt'), 'a');
    const outcome = await meanfield('eval', at('whole'), at('one.txt'));
    expect(outcome.stderr).toContain('one.txt');
    expect(outcome.code).toBe(1);
  });

  test('generate writes the same text for the same seed, the prompt first', async () => {
    const options = ['generate', at('whole'), '--prompt', 'the ', '--max-tokens', '20', '--seed', '7'];
    const [first, second] = [await meanfield(...options), await meanfield(...options)];
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/^the /);
    expect(second.stdout).toBe(first.stdout);
    const result = jsonLines(await meanfield(...options, '--json')).at(-1)!;
    expect(result).toMatchObject({ type: 'result', tokens: 20 });
    expect(first.stdout).toContain(String(result.text));
  });

  test('it is not written over', async () => {
    const outcome = await train('whole');
    expect(outcome.stderr).toMatch(/--resume/);
    expect(outcome.code).toBe(2);
  });

  test('resuming it with other options prints the difference', async () => {
    const outcome = await train('whole', '--resume', '--lr', '0.5', '--batch-size', '3');
    expect(outcome.stderr).toMatch(/--lr.*0\.5/);
    expect(outcome.stderr).toMatch(/--batch-size was 2, now 3/);
    expect(outcome.code).toBe(2);
  });

  test('a damaged model is refused', async () => {
    const path = at('whole/model/model.safetensors');
    const bytes = await readFile(path);
    bytes[bytes.length - 5]! ^= 1;
    await writeFile(path, bytes);
    for (const args of [
      ['eval', at('whole'), at('good.txt')],
      ['generate', at('whole')],
    ]) {
      const outcome = await meanfield(...args);
      expect(outcome.stderr).toMatch(/model\.safetensors is damaged/);
      expect(outcome.code).toBe(1);
    }
  });
});

test('there is nothing to resume where no run is', async () => {
  const outcome = await train('none', '--resume');
  expect(outcome.stderr).toMatch(/no run to resume/);
  expect(outcome.code).toBe(2);
});

test('without --run the run gets a name of the date', async () => {
  await mkdir(at('here'));
  const running = start(['train', at('good.txt'), ...TINY, '--json'], at('here'));
  const result = jsonLines(await running.done).at(-1);
  expect(String(result?.run)).toMatch(/^runs\/\d{4}-?\d\d-?\d\d/);
  expect(await readdir(at('here', String(result?.run)))).toContain('model');
});

test('a loss that is no number ends the run, names the step and leaves the checkpoint before', async () => {
  const outcome = await train('wild', '--lr', '1e30', '--min-lr', '1e30', '--warmup', '0', '--clip', '0', '--json');
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toMatch(/step \d+/);
  expect(jsonLines(outcome).at(-1)).toMatchObject({ type: 'error', message: expect.stringMatching(/step \d+/) });
});

describe('interruption', () => {
  test('Ctrl-C saves, exits 130, and the run goes on from there', async () => {
    const running = start(['train', at('good.txt'), '--run', at('stopped'), ...LONG, '--json']);
    await running.said('"progress"');
    running.child.kill('SIGINT');
    const outcome = await running.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    expect(outcome.stderr).toContain('stopping');
    const result = jsonLines(outcome).at(-1)!;
    expect(result).toMatchObject({ type: 'result', interrupted: true });
    const step = result.step as number;
    expect(step % 5).toBe(0);
    expect(await readdir(at('stopped/checkpoints'))).toContain(String(step).padStart(6, '0'));
    expect(await readdir(at('stopped'))).not.toContain('lock');

    const resumed = start(['train', '--run', at('stopped'), '--resume', '--json']);
    await resumed.said(/"started".*"step":[1-9]/);
    resumed.child.kill('SIGTERM');
    expect((await resumed.done).code).toBe(130);
    expect(jsonLines(await resumed.done).find(({ type }) => type === 'started')).toMatchObject({ step });
  });

  test('a reader that goes away ends it without a word', async () => {
    const running = start(['train', at('good.txt'), '--run', at('piped'), ...LONG, '--json']);
    await running.said('"progress"');
    running.child.stdout!.destroy();
    const outcome = await running.done;
    expect(outcome.stderr).not.toMatch(/EPIPE|error/);
    expect(outcome.code).toBe(130);
  });

  test('a run in use is refused by the name of its process', async () => {
    const first = start(['train', at('good.txt'), '--run', at('used'), ...LONG, '--json']);
    await first.said('"progress"');
    const second = await meanfield('train', '--run', at('used'), '--resume');
    expect(second.stderr).toContain(String(first.child.pid));
    expect(second.code).toBe(1);
    first.child.kill('SIGKILL');
    expect((await first.done).signal).toBe('SIGKILL');

    const third = start(['train', '--run', at('used'), '--resume', '--json']);
    await third.said('"progress"');
    third.child.kill('SIGINT');
    const outcome = await third.done;
    expect(jsonLines(outcome).find(({ type }) => type === 'notice')).toMatchObject({
      message: expect.stringContaining(String(first.child.pid)),
    });
    expect(outcome.code).toBe(130);
  });
});

test('a damaged checkpoint is passed over for the one before, and said so', async () => {
  expect((await train('damaged', '--keep', '3')).code).toBe(0);
  const path = at('damaged/checkpoints/000020/model.safetensors');
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 0x40;
  await writeFile(path, bytes);
  const outcome = await train('damaged', '--keep', '3', '--resume', '--json');
  expect(outcome.code, outcome.stderr).toBe(0);
  const notices = jsonLines(outcome).filter(({ type }) => type === 'notice');
  expect(notices.map(({ message }) => message).join('\n')).toMatch(/000020 is damaged.*step 10/s);
  expect(jsonLines(outcome).at(-1)).toMatchObject({ type: 'result', step: 20 });
});
