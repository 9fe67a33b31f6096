import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { sha256File } from '../src/base/hash.js';
import { kill } from './child.js';
import { meanfield, workFolder } from './command.js';

vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL('..', import.meta.url));
const at = workFolder();

/** A copy of the example beside a project that has the package installed. */
beforeAll(async () => {
  await cp(`${root}examples/own-model`, at('project'), { recursive: true });
  await mkdir(at('project/node_modules'));
  await symlink(root, at('project/node_modules/meanfield'), 'junction');
});

/** Starts a script of the project. */
function begin(script: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [at('project', script), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function outcome(child: ChildProcess) {
  const written = { stdout: '', stderr: '' };
  for (const out of ['stdout', 'stderr'] as const) {
    child[out]!.setEncoding('utf8').on('data', (piece: string) => {
      written[out] += piece;
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...written };
}

/** All that a run leaves of its model, without times, speeds and memory. */
async function remains(run: string, step: string) {
  const metrics = (await readFile(at(run, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  const { state } = JSON.parse(await readFile(at(run, `checkpoints/${step}/state.json`), 'utf8'));
  return {
    metrics: metrics.map((line) => {
      const {
        samples_per_second: _s,
        eta_seconds: _e,
        memory_bytes: _m,
        peak_memory_bytes: _p,
        ...rest
      } = JSON.parse(line);
      return rest;
    }),
    state: { ...state, seconds: 0 },
    best: await sha256File(at(run, 'model/model.safetensors')),
    parameters: await sha256File(at(run, `checkpoints/${step}/model.safetensors`)),
    optimizer: await sha256File(at(run, `checkpoints/${step}/optimizer.safetensors`)),
  };
}

/** What `train` of a module fails with, in the project. */
async function failure(options: Record<string, unknown>): Promise<string> {
  const { model = './digits.js', ...others } = options;
  const script = `import { train } from 'meanfield';
    const given = ${JSON.stringify({ threads: 1, steps: 5, ...others })};
    const model = ${model === null ? 'undefined' : `new URL(${JSON.stringify(model)}, import.meta.url)`};
    await train(model ? { model, ...given } : given).result.catch((error) => console.log(error.name + ': ' + error.message));`;
  await writeFile(at('project/fails.js'), script);
  const { stdout, stderr } = await outcome(begin('fails.js'));
  expect(stderr).toBe('');
  return stdout.trim();
}

describe("a model of one's own", () => {
  it('learns with two replicas; killed and resumed, it is the same to the bit', async () => {
    const whole = await outcome(begin('train.js', at('whole'), '300'));
    expect(whole).toMatchObject({ code: 0, stderr: '' });
    expect(whole.stdout).toContain('1437 digits to learn, from step 0');
    // Guessing costs ln 10 = 2.303.
    expect(Number(/best validation loss ([\d.]+)/.exec(whole.stdout)![1])).toBeLessThan(0.25);

    const predicted = await outcome(begin('predict.js', at('whole')));
    expect(Number(/^(\d+) of 360 digits/.exec(predicted.stdout)![1])).toBeGreaterThan(330);

    const killed = begin('train.js', at('killed'), '300');
    for await (const line of createInterface({ input: killed.stdout! })) if (line === 'saved at step 140') break;
    await kill(killed);
    const resumed = await outcome(begin('train.js', at('killed'), '300', 'resume'));
    expect(resumed).toMatchObject({ code: 0, stderr: '' });
    expect(Number(/from step (\d+)/.exec(resumed.stdout)![1])).toBeGreaterThanOrEqual(140);
    expect(await remains('killed', '000300')).toEqual(await remains('whole', '000300'));
  });

  it('is told of by info, in samples; nothing that is for texts takes it', async () => {
    const { stdout } = await meanfield('info', at('whole'), '--json');
    const { model, progress, data, chosen } = JSON.parse(stdout);
    expect(model).toMatchObject({ family: 'digits-mlp', parameters: 3610 });
    expect(progress).toMatchObject({ step: 300, samples: 300 * 64 });
    expect(data).toMatchObject({ train_samples: 1437, validation_samples: 360 });
    expect(chosen.module).toEqual({
      url: pathToFileURL(at('project/digits.js')).href,
      sha256: await sha256File(at('project/digits.js')),
    });
    const written = await meanfield('generate', at('whole'));
    expect(written).toMatchObject({ code: 2, stderr: expect.stringContaining("a model of one's own, digits-mlp") });
    const resumed = await meanfield('train', '--run', at('whole'), '--resume');
    expect(resumed).toMatchObject({ code: 2, stderr: expect.stringContaining('Resume it from code, by train()') });
  });

  it('is resumed with the same module alone', async () => {
    const run = at('whole');
    expect(await failure({ run, resume: true, model: null })).toMatch(
      /^UsageError: .*Give it again, as `model: new URL\(/,
    );
    const source = await readFile(at('project/digits.js'), 'utf8');
    await writeFile(at('project/other.js'), source.replace('silu(gemm', 'silu( gemm'));
    const changed = { run, resume: true, replicas: 2, steps: 320, model: './other.js' };
    expect(await failure(changed)).toMatch(
      /other\.js is not the module .* sha256 is \w{12}…, that of .*digits\.js was/,
    );
    expect(await failure({ ...changed, force: true })).toBe('');
    await writeFile(at('project/fewer.js'), source.replaceAll('% 5', '% 4'));
    const fewer = await failure({ ...changed, force: true, model: './fewer.js' });
    expect(fewer).toContain('(1347 training and 450 validation samples, 3610 parameters)');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a module that is not there', { model: './missing.js' }, 'UsageError: Cannot read the module file:'],
    [
      'a module that exports nothing fitting',
      { model: './empty.js' },
      'empty.js: expected the exports architecture, objective and samples, got model. Export architecture, objective, ' +
        'samples from file:',
    ],
    ['options of text', { corpus: ['x.txt'], tokenizer: 'bpe' }, '`corpus`, `tokenizer`: of models of text alone.'],
    ['an address', { model: 'https://example.org/model.js' }, 'Expected `model` to be the URL of a file, got https://'],
  ])('refuses %s, and leaves no run behind', async (_what, options, message) => {
    await writeFile(at('project/empty.js'), 'export const model = 1;');
    expect(await failure({ ...options, run: at('refused') })).toContain(message);
    await expect(readFile(at('refused/run.json'))).rejects.toThrow('ENOENT');
  });

  it("tells a thread's refusal like its own", async () => {
    const source = await readFile(at('project/digits.js'), 'utf8');
    // Not one of the samples that are tried before the first step.
    const damaged = source
      .replace('(line) => ({', '(line, i) => ({')
      .replace('digit: Number', 'digit: i === 3 ? 0.5 : Number');
    await writeFile(at('project/damaged.js'), damaged);
    const told = await failure({ model: './damaged.js', run: at('damaged'), steps: 200, batchSize: 64 });
    expect(told).toContain('damaged.js: expected objective.feed to give int64 as digit, but The number 0.5');
  });
});
