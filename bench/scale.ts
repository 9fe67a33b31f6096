import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobEvent } from '../src/scale/events.js';
import { startScaling } from '../src/scale/scale.js';
import { parseArgs, table } from './lib.js';

/**
 * `npm run bench -- scale --data FOLDER [--minutes 45] [--predict 1000000] [--seeds 2] [--seed 1337] [--replicas 2,4]
 * [--predict-replicas 8] [--sync-every 10,40] [--out FOLDER]`, replicas `none` for no averaging; `--least`, `--most` and
 * `--steps` are those of the command. With `--out` the ladder stays there, and one that was cut off goes on.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  if (!options.data) throw new Error('name a folder or a file of text: --data FOLDER');
  const kept = options.out;
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'meanfield-bench-')));
  const ladder = join(folder, 'ladder');
  const number = (name: string, usual: number) => Number(options[name] ?? usual);
  try {
    const own = {
      ...{ corpus: [options.data], out: ladder, budgetMinutes: number('minutes', 45) },
      ...{ predict: number('predict', 1e6), seeds: number('seeds', 2), seed: number('seed', 1337) },
      ...(options.replicas !== 'none' && { replicas: options.replicas ?? '2,4' }),
      ...(options['sync-every'] !== undefined && { syncEvery: options['sync-every'] }),
      predictReplicas: number('predict-replicas', 8),
      ...Object.fromEntries(
        ['least', 'most', 'steps'].flatMap((name) =>
          options[name] === undefined ? [] : [[name, Number(options[name])]],
        ),
      ),
    };
    const begun = existsSync(join(ladder, 'scale.json'));
    const running = startScaling({ ...own, resume: begun });
    const jobs: JobEvent[] = [];
    for await (const event of running) {
      if (event.type === 'job') {
        jobs.push(event);
        process.stderr.write(`${event.id}: ${event.loss?.toFixed(4) ?? 'diverged'}\n`);
      }
      if (event.type === 'ladder') process.stderr.write(`planned: ${(event.seconds / 60).toFixed(1)} minutes\n`);
    }
    const { law, rmse, prediction, truths, gaps, seconds } = await running.result;
    table(
      ['run', 'parameters', 'tokens', 'rate', 'seed', 'held-out loss', 'seconds'],
      jobs.map(({ kind, parameters, tokens, rate, seed, loss, seconds: took, replicas, syncEvery }) => [
        ...[
          replicas === undefined ? kind : `${replicas} replicas, H ${syncEvery}`,
          parameters,
          tokens,
          rate.toPrecision(3),
          seed,
          loss?.toFixed(4) ?? 'diverged',
          took.toFixed(0),
        ],
      ]),
    );
    console.log(`All of it: ${(seconds / 60).toFixed(1)} minutes (goal 45).`);
    if (!law || !prediction) return;
    const { E, A, B, alpha, beta } = law;
    console.log(
      `L = ${E.toFixed(4)} + ${A.toPrecision(4)}/N^${alpha.toFixed(4)} + ${B.toPrecision(4)}/D^${beta.toFixed(4)}, rmse ${rmse!.toFixed(4)} nats a byte.`,
    );
    table(
      ['seed', 'predicted', '90 %', 'trained', 'error (goal 1 %)', 'inside'],
      truths.map(({ seed, loss, error, inside }) => [
        ...[seed, prediction.loss.toFixed(4), `${prediction.low.toFixed(4)} to ${prediction.high.toFixed(4)}`],
        ...[loss.toFixed(4), `${(100 * error).toFixed(2)} %`, inside ? 'yes' : 'no'],
      ]),
    );
    if (!gaps) return;
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
    table(
      ['replicas', 'H', 'gap', 'predicted', 'points apart (goal 0.5)'],
      [
        ...gaps.fitted.map(({ replicas, syncEvery, gap }) => [replicas, syncEvery, percent(gap), 'fitted', '']),
        ...gaps.truths.map(({ replicas, syncEvery, gap, predicted }) => [
          ...[replicas, syncEvery, percent(gap), percent(predicted), (100 * Math.abs(gap - predicted)).toFixed(2)],
        ]),
      ],
    );
  } finally {
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}
