import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { jsonLines, meanfield, type Outcome, workFolder } from './command.js';

const at = workFolder();

function refused(outcome: Outcome, code: number, ...expected: RegExp[]): void {
  expect(outcome.stderr).toMatch(/^error: /);
  for (const part of expected) expect(outcome.stderr).toMatch(part);
  expect(outcome.stderr).not.toMatch(/\n {4}at /);
  expect(outcome.stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  expect(outcome.code).toBe(code);
}

const result = (outcome: Outcome) => jsonLines(outcome).at(-1)! as Record<string, never>;

describe('plan', () => {
  test('tells people how a model fits, takes and loses, with what was assumed', async () => {
    const { stdout, stderr, code } = await meanfield(
      'plan',
      '--model',
      'turing-nlg-17b',
      '--cluster',
      'azure-openai-2020',
    );
    expect([stderr, code]).toEqual(['', 0]);
    expect(stdout).toMatch(/turing-nlg-17b: 17\.2 G parameters \(17,180,859,136\)/);
    expect(stdout).toMatch(/10,000 × V100-SXM2-32GB, 1,250 nodes of 8, 400 Gb\/s a node/);
    expect(stdout).toMatch(/data parallel +no +[\d,]+ +does not fit by \d+ GB/);
    expect(stdout).toMatch(/What more accelerators buy:/);
    expect(stdout).toMatch(/not published: assumed/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(300);
  });

  test('tells programs the same in base units', async () => {
    const outcome = await meanfield(
      'plan',
      '--model',
      'mt-nlg-530b',
      '--cluster',
      '2240xa100',
      '--global-batch',
      '1920',
      '--tokens',
      '270e9',
      '--json',
    );
    expect(outcome.code).toBe(0);
    const plan = result(outcome) as unknown as Record<string, unknown> & {
      memory: Record<string, number>;
      time: Record<string, number>;
      run: Record<string, number>;
      arrangement: Record<string, number>;
    };
    expect(plan).toMatchObject({ type: 'result', model: 'mt-nlg-530b', fits: true, tokens: 270e9 });
    const { total, available, host: _, ...parts } = plan.memory;
    expect(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) / total!).toBeCloseTo(1, 6);
    expect(total).toBeLessThanOrEqual(available!);
    expect(plan.run.steps).toBe(Math.ceil(270e9 / (1920 * 2048)));
    expect(plan.run.training_seconds).toBeCloseTo(plan.run.steps! * plan.time.total!, 3);
    expect(1920 % plan.arrangement.data!).toBe(0);
    expect(105 % plan.arrangement.pipeline!).toBe(0);
    expect(plan.considered).toBeGreaterThan(100_000);
  });

  test('averages sixteen laptops on a slow line', async () => {
    const plan = result(await meanfield('plan', '--model', 'gpt2', '--cluster', 'laptops-16', '--json'));
    expect(plan).toMatchObject({ method: 'averaging', fits: true });
    const { averaging, averaging_wins: wins } = plan as unknown as {
      averaging: Record<string, number>;
      averaging_wins: { to: number };
    };
    expect(averaging.replicas).toBeGreaterThan(4);
    expect(wins.to).toBeGreaterThan(20e6 / 8);
  });

  test('a budget in dollars without a model gives the largest that it trains', async () => {
    const plan = result(await meanfield('plan', '--cluster', '64xh100', '--budget-usd', '1e5', '--json'));
    const { run, largest } = plan as unknown as { run: Record<string, number>; largest: Record<string, number> };
    expect(run.usd).toBeLessThanOrEqual(1e5);
    expect(run.usd).toBeGreaterThan(0.9e5);
    expect(largest.parameters).toBeGreaterThan(1e9);
  });

  test('a law of one’s own finds the largest model, and a file that is none is refused', async () => {
    const law = {
      ...{
        format: 'meanfield-law-1',
        name: 'books',
        source: '15 runs',
        E: 1.1,
        A: 40,
        B: 250,
        alpha: 0.35,
        beta: 0.42,
      },
      upTo: { parameters: 500_000, tokens: 1e7 },
    };
    await writeFile(at('law.json'), JSON.stringify(law));
    const planned = (file: string) => meanfield('plan', '--cluster', '8xh100', '--flop', '1e20', '--law', file);
    const { stdout, stderr, code } = await planned(at('law.json'));
    expect([stderr, code]).toEqual(['', 0]);
    expect(stdout).toMatch(/\(law: books; loss 1\.\d+, beyond the runs that the law was fitted on\)/);
    await writeFile(at('bad-law.json'), JSON.stringify({ ...law, beta: -1 }));
    refused(await planned(at('bad-law.json')), 2, /bad-law\.json: expected a scaling law/, /beta/, /meanfield scale/);
    refused(await planned(at('none.json')), 2, /Cannot read .*none\.json.*Expected a scaling law/);
    refused(await planned('chinchila'), 2, /No scaling law is called 'chinchila'; there are chinchilla,/);
  });

  test('a model that fits nowhere is told so, and why', async () => {
    const { stdout, code } = await meanfield(
      'plan',
      '--model',
      'mt-nlg-530b',
      '--cluster',
      '8xh100',
      '--offload',
      'none',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/It does not fit in any arrangement/);
    expect(stdout).toMatch(/tensor \+ pipeline +no +\d +does not fit by [\d,]+ GB/);
  });

  test.each([
    [[], /Missing --cluster/],
    [['--model', 'gpt3-175', '--cluster', '8xh100'], /Unknown model "gpt3-175"\. Nearest: .*gpt3-175b/],
    [['--model', 'gpt2', '--cluster', 'selen'], /Unknown cluster "selen"\. Nearest: .*selene/],
    [['--model', 'gpt2', '--cluster', '8xh10'], /H10/i],
    [['--model', 'gpt2', '--cluster', '-8xh100'], /a whole number, got -8/],
    [['--model', 'gtp2', '--cluster', '8xh100'], /Nearest: gpt2-124m, gpt2-/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--framework', 'megatrn'], /Nearest: Megatron-/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--method', 'averaging', '--replicas', '700'], /Allowed: 2, 4, 8/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--context-parallel', '3'], /--context-parallel 3 does not divide/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--tensor', '7'], /--tensor 7 cannot be.*Allowed: 1, 2, 4/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--global-batch', '10', '--micro-batch', '4'], /does not divide/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--precision', 'nvfp4'], /Allowed: fp32, tf32/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--tokens', 'NaN'], /--tokens.*NaN/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--method', 'magic'], /auto, data, averaging/],
    [['--model', 'gpt2', '--cluster', '8xh100', '--until', '1999-12-31'], /past/],
    [['valdate'], /Did you mean validate\?[\s\S]*Commands: validate, calibrate, simulate, fit/],
  ])('%j is wrong usage', async (args, expected) => {
    refused(await meanfield('plan', ...args), 2, expected);
  });

  test('nodes without a network work alone, and share no matrix', async () => {
    await writeFile(at('apart.json'), '{"accelerator":"A100","accelerators":16,"perNode":4,"interNode_Gbps":0}');
    const args = ['--model', 'gpt3-175b', '--cluster', at('apart.json')];
    refused(await meanfield('plan', ...args, '--tensor', '8'), 2, /wider than a node of 4, and there is no network/);
    const { stdout, code } = await meanfield('plan', '--model', 'gpt2', '--cluster', at('apart.json'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/4 nodes of 4, no network between them/);
    expect(stdout).toMatch(/steps on 4 accelerators/);
  });

  test('hostile files are refused by name', async () => {
    const files: Record<string, string> = {
      'broken.json': '{"accelerator": ',
      'zero.json': '{"accelerator":"A100","accelerators":8,"node":{"interNode_Gbps":-200}}',
      'proto.json': '{"__proto__":{"accelerators":8},"constructor":1}',
      'deep.json': `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(at(name), text);
    for (const name of Object.keys(files)) {
      refused(
        await meanfield('plan', '--model', 'gpt2', '--cluster', at(name)),
        2,
        new RegExp(name.replace('.', '\\.')),
      );
      refused(
        await meanfield('plan', '--model', at(name), '--cluster', '8xh100'),
        2,
        new RegExp(name.replace('.', '\\.')),
      );
    }
  });
});

describe('the parts of plan', () => {
  test('validate reports rows, sources and what was skipped', async () => {
    const header =
      'id,source,framework,model,params_B,layers,hidden,heads,seq,accel,n_accel,tp,pp,micro_batch,global_batch_seqs,tflops_per_accel,printed_unit,grade';
    const row = 'a1,paper,Megatron-LM,gpt,1.7,24,2304,24,2048,A100,32,1,1,16,512,137,tflops_per_accel,A';
    await writeFile(at('rows.csv'), `${header}\n${row}\nb1${row.slice(2, -1)}X\n`);
    const outcome = await meanfield('plan', 'validate', at('rows.csv'), '--json');
    expect(outcome.code).toBe(0);
    const lines = jsonLines(outcome);
    expect(lines.map(({ type, id }) => [type, id])).toEqual([
      ['row', 'a1'],
      ['row', 'b1'],
      ['result', undefined],
    ]);
    const last = lines.at(-1) as unknown as {
      rows: number;
      skipped: number;
      mean_abs_error: number;
      by_source: object;
    };
    expect(last).toMatchObject({ rows: 1, skipped: 1, by_source: { paper: { rows: 1 } } });
    expect(last.mean_abs_error).toBeLessThan(60);
    expect((await meanfield('plan', 'validate', at('rows.csv'))).stdout).toMatch(/paper +1 +[\d.]+ %/);
    await writeFile(at('bad.csv'), 'a,b\n1,2\n');
    refused(await meanfield('plan', 'validate', at('bad.csv')), 2, /lacks the columns id, source/);
    refused(await meanfield('plan', 'validate', at('none.csv')), 1, /Cannot read .*none\.csv/);
  });

  test('calibrate fits to a table, and plan takes what it wrote', async () => {
    const header =
      'id,source,framework,model,params_B,layers,hidden,heads,seq,accel,n_accel,tp,pp,micro_batch,global_batch_seqs,tflops_per_accel,printed_unit,grade';
    const row = 'ours,our stack,gpt,1.7,24,2304,24,2048,A100,32,1,1,16,512,60,tflops_per_accel,';
    await writeFile(at('ours.csv'), `${header}\na,${row}\nb,${row}\n`);
    const fitted = result(await meanfield('plan', 'calibrate', at('ours.csv'), '--to', at('ours.json'), '--json'));
    expect(fitted).toMatchObject({ unused: 0, pairs: [{ pair: 'default @ A100-SXM-80GB', rows: 2 }] });
    const seconds = async (...more: string[]) =>
      (
        result(await meanfield('plan', '--model', 'gpt2', '--cluster', '8xa100', '--json', ...more)) as unknown as {
          run: { seconds: number };
        }
      ).run.seconds;
    expect((await seconds('--calibration', at('ours.json'))) / (await seconds())).toBeGreaterThan(1.3);
    refused(await meanfield('plan', '--model', 'gpt2', '--cluster', '8xa100', '--calibration', at('ours.csv')), 2, /./);
  });

  test('simulate writes a trace that Perfetto reads, and agrees with the plan', async () => {
    const args = ['--model', 'gpt2-1.5b', '--cluster', '64xa100', '--pipeline', '4', '--schedule', 'pipeline'];
    const outcome = await meanfield('plan', 'simulate', ...args, '--trace', at('step.json'), '--json');
    expect(outcome.code).toBe(0);
    const { predicted, summary } = result(outcome) as unknown as { predicted: number; summary: { seconds: number } };
    expect(summary.seconds / predicted).toBeGreaterThan(0.98);
    expect(summary.seconds / predicted).toBeLessThan(1.02);
    const { traceEvents } = JSON.parse(await readFile(at('step.json'), 'utf8'));
    const stages = new Set(
      traceEvents.filter(({ ph }: { ph: string }) => ph === 'X').map(({ pid }: { pid: number }) => pid),
    );
    expect(stages.size).toBe(4);
  });

  test('simulate plays rounds of replicas of uneven speed', async () => {
    const args = ['--model', 'gpt2', '--cluster', 'laptops-16', '--schedule', 'averaging', '--rounds', '3'];
    const outcome = await meanfield('plan', 'simulate', ...args, '--speed-spread', '2', '--json');
    expect(result(outcome)).toMatchObject({ rounds: { committed: 3 } });
  });

  test('simulate tells what the end of an exchange waited for', async () => {
    const args = ['--model', 'gpt2', '--cluster', 'laptops-16', '--schedule', 'exchange'];
    const { stdout, code } = await meanfield('plan', 'simulate', ...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Critical path:\n +where +starts at +takes +bound by\nready +worker \d+ +0 s/);
    expect(stdout).toMatch(/\nresult +worker \d+ to worker \d+ .*the line (from|to) worker/);
  });

  test('fit gives the replication of Chinchilla', async () => {
    const { fit } = result(await meanfield('plan', 'fit', '--json')) as unknown as { fit: Record<string, number> };
    const expected = { A: 477.84, B: 2143.9, E: 1.81724, alpha: 0.34731, beta: 0.36718 };
    for (const [name, value] of Object.entries(expected)) expect(Math.abs(fit[name]! / value - 1)).toBeLessThan(0.01);
  });

  test('trends, ranks and lists', async () => {
    const trends = await meanfield('plan', 'trends', '--html', at('trends.html'));
    expect(trends.stdout).toMatch(/AI and Compute\) +2012-06 to 2017-10 +\d+ records +3\.4 +3\.5/);
    expect(await readFile(at('trends.html'), 'utf8')).toContain('<svg');
    const rank = result(await meanfield('plan', 'top500', '--rmax', '100000', '--list', '2020-06', '--json'));
    expect(rank).toMatchObject({ ranks: [{ list: '2020-06', rank: 3 }] });
    refused(await meanfield('plan', 'top500', '--rmax', '1', '--cluster', 'summit'), 2, /Both --rmax and --cluster/);
    const models = result(await meanfield('plan', 'models', '--json')) as unknown as {
      models: { name: string; parameters: number }[];
    };
    expect(models.models.find(({ name }) => name === 'gpt2-1.5b')?.parameters).toBe(1_557_611_200);
    expect((await meanfield('plan', 'clusters')).stdout).toMatch(/laptops-16 +16/);
  });
});
