import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../lib.js';
import { bytesPerRound, bytesPerToken, secondsPerRound, utilization } from '../figures.js';
import { withCluster } from '../live-cluster.js';
import { keyOf, NEVER, type Setting, words } from '../settings.js';

const RATE = '10mbit';
const MODEL = 'SmolLM2-135M-Instruct';

const WORKERS = 2;

/**
 * An adapter of a model of 135M parameters, trained by two machines behind lines of a slow household: what travels, and how
 * much of the time is computing. The model itself lies in the machines' caches, as it travels once whatever is trained; so the
 * coordinator, which gives it away, stands on a line of its own rate.
 */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick, data } = setting;
  const model = join(process.env.MEANFIELD_MODELS ?? '', MODEL);
  if (!existsSync(join(model, 'config.json'))) return console.log(`Skipped: no ${MODEL} in MEANFIELD_MODELS.`);
  const [long, rounds] = quick ? [5, 3] : [50, 4];
  const cache = mkdtempSync(join(tmpdir(), 'meanfield-bench-cache-'));
  const common = [
    ...[join(data, 'train.txt'), '--from', model, ...NEVER],
    ...words('--adapter lora --rank 16 --alpha 32 --context 64 --batch-size 1 --seed 1 --moments keep'),
    ...words('--no-adaptive-steps --validation-fraction 0.002'),
  ];
  const run = (start: readonly string[], workers: number, workerRate?: string) =>
    withCluster(
      {
        start: [...common, ...start],
        workers,
        join: ['--threads', '1', '--cache', cache],
        ...(workerRate === undefined ? {} : { workerRate }),
      },
      async ({ result, commits }) => {
        await result;
        return commits;
      },
    );
  const formats = { int8: '--format int8', streamed: '--format int8 --fragments 4 --overlap 2' };
  const rows: string[][] = [];
  let filled = false;
  try {
    for (const [name, options] of Object.entries(formats)) {
      const figures = await kept.once(keyOf(setting, `adapter-${name}`), async () => {
        if (!filled) await run(words('--sync-every 1 --steps 1'), 1);
        filled = true;
        const commits = await run(
          words(`--min-workers ${WORKERS} --sync-every ${long} --steps ${long * rounds} ${options}`),
          WORKERS,
          RATE,
        );
        return {
          bytes_per_round: bytesPerRound(commits, WORKERS),
          bytes_per_token: bytesPerToken(commits),
          seconds_per_round: secondsPerRound(commits),
          utilization: utilization(commits),
        };
      });
      rows.push([
        `H=${long}, ${name}`,
        `${(figures.bytes_per_round / 1e6).toFixed(2)} MB`,
        figures.bytes_per_token.toFixed(0),
        figures.seconds_per_round.toFixed(1),
        `${(100 * figures.utilization).toFixed(1)} %`,
      ]);
    }
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
  table(['exchange', 'each line a round', 'bytes a token', 'seconds a round', 'computing'], rows);
}
