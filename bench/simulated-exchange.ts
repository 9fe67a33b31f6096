import { bytes, quantity, time } from '../src/planner/report/units.js';
import { type ExchangeSpec, finish, simulateExchange } from '../src/planner/simulate/index.js';
import { parseArgs, table } from './lib.js';

/** 100 Mb/s in both directions, in bytes a second. */
const LINE = 12.5e6;

/**
 * `npm run bench -- simulated-exchange [--workers 10000] [--parameters 1e9] [--shards 256]`: one averaging of int8
 * contributions over lines of 100 Mb/s, its workers ready within a minute of one another: how long its events take to
 * compute, who sends what, and what its end waits for.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const spec: ExchangeSpec = {
    workers: Number(options.workers ?? 10_000),
    parameters: Number(options.parameters ?? 1e9),
    shards: Number(options.shards ?? 256),
    bytesPerParameter: 1,
    spread: 60,
    lines: [{ share: 1, up: LINE, down: LINE }],
  };
  const start = performance.now();
  const cpu = process.cpuUsage();
  const { transfers, seconds, until, bytes: sent, done, criticalPath } = finish(simulateExchange(spec));
  const { user, system } = process.cpuUsage(cpu);
  const wall = (performance.now() - start) / 1000;
  const count = (value: number): string => value.toLocaleString('en-US');

  console.log(
    `\n${count(spec.workers)} workers, ${quantity(spec.parameters)} parameters of one byte in ${spec.shards} shards: ` +
      `the ends of ${count(transfers)} transfers computed in ${wall.toFixed(1)} s ` +
      `(${((user + system) / 1e6).toFixed(1)} s of processor time). The round takes ${time(seconds)} of simulated time.`,
  );
  table(
    ['bytes', 'sent', 'received'],
    [
      ['contributions, all', bytes(sent.contributions), bytes(sent.contributions)],
      ['results, all', bytes(sent.results), bytes(sent.results)],
      ['a worker that sums nothing', bytes(sent.worker.sent), bytes(sent.worker.received)],
      ['the busiest that sums', bytes(sent.reducer.sent), bytes(sent.reducer.received)],
    ],
  );
  table(
    ['until', 'simulated time'],
    [
      ['the last worker is ready', time(until.ready)],
      ['the last contribution is in', time(until.reduced)],
      ['the last sum is done', time(until.summed)],
      ['the first worker has all', time(done.first)],
      ['half of them have', time(done.median)],
      ['the last has', time(done.last)],
    ],
  );
  console.log('Critical path:');
  table(
    ['what', 'from', 'to', 'start', 'takes', 'bound by'],
    criticalPath.map((link) => [
      link.what,
      link.from,
      link.to,
      time(link.start),
      time(link.end - link.start),
      link.limit,
    ]),
  );
}
