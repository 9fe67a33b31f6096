import { table } from '../../lib.js';
import { bytesPerToken, utilization } from '../figures.js';
import { withCluster } from '../live-cluster.js';
import { keyOf, NEVER, type Setting, wide, words } from '../settings.js';

const RATE = '100mbit';

/** Bytes of each token against per-step fp32, and how much of the time is computing, at 100 Mb/s. */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const [long, rounds] = quick ? [5, 4] : [100, 3];
  const run = (name: string, workers: number, options: string) =>
    kept.once(keyOf(setting, `traffic-${workers}-${name}`), () => {
      const start = [...wide(setting), ...NEVER, ...words(`${options} --min-workers ${workers} --no-adaptive-steps`)];
      return withCluster({ start, workers, rate: RATE, delay: setting.delay }, async (cluster) => {
        await cluster.result;
        return { bytes_per_token: bytesPerToken(cluster.commits), utilization: utilization(cluster.commits) };
      });
    });
  const rows: (string | number)[][] = [];
  for (const workers of setting.workers) {
    const base = await run('every-step', workers, '--sync-every 1 --steps 12 --moments keep');
    const add = (name: string, { bytes_per_token, utilization }: Awaited<ReturnType<typeof run>>) =>
      rows.push([
        workers,
        name,
        bytes_per_token.toFixed(2),
        (base.bytes_per_token / bytes_per_token).toFixed(0),
        `${(100 * utilization).toFixed(1)} %`,
      ]);
    add('every step, fp32', base);
    const plain = `--sync-every ${long} --steps ${long * rounds} --moments keep`;
    for (const format of ['fp32', 'int8', 'int4'])
      add(`H=${long}, ${format}`, await run(format, workers, `${plain} --format ${format}`));
    // A quarter of the model after every quarter of H.
    const streamed = `${plain} --fragments 4`;
    add(`H=${long}, int8, streamed`, await run('streamed', workers, `${streamed} --format int8 --overlap 2`));
  }
  table(['workers', 'exchange', 'bytes a token', '× fewer', 'computing'], rows);
}
