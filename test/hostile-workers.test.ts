import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { coordinate, ENDLESS, endLeftovers, takePart } from './cluster.js';
import { jsonLines, meanfield, workFolder } from './command.js';
import { HostileWorker } from './hostile-worker.js';

/** Of the run with hostile workers; the one without takes as long. */
const SECONDS = Number(process.env.MEANFIELD_HOSTILE_SECONDS ?? 10);
/** Of the runs, in seconds, as `CLUSTER` has it. */
const GRACE = 1;
const HONEST = ['honest', 'upright', 'decent'];
const OPTIONS = [...ENDLESS, '--eval-every', '20', '--lr', '3e-3', '--min-workers', '3', '--heartbeat-timeout', '2'];

const at = workFolder();
endLeftovers();
beforeAll(async () => {
  const shakespeare = await readFile('examples/tinyshakespeare.txt', 'utf8');
  await writeFile(at('good.txt'), shakespeare.slice(0, 100_000));
});

type Line = Record<string, unknown> & { readonly type: string };
const isHonest = (worker: unknown) => HONEST.some((name) => String(worker).startsWith(`${name}-`));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** Three honest workers for a while, and as many hostile ones as are given. */
async function play(folder: string, hostile: number) {
  const coordinator = await coordinate(folder, at('good.txt'), ...OPTIONS);
  const honest = HONEST.map((name) => takePart(coordinator.invitation, name, at('cache')));
  await coordinator.said('"type":"round"');
  const liars = Array.from({ length: hostile }, (_, i) => new HostileWorker(coordinator.invitation, `evil${i}`, i));
  const lives = liars.map((liar) => liar.run());
  await sleep(1000 * SECONDS);
  for (const liar of liars) liar.stop();
  const stopped = await meanfield('cluster', 'stop', folder);
  expect(stopped.code, stopped.stderr).toBe(0);
  const outcome = await coordinator.done;
  expect(outcome.code, outcome.stderr).toBe(130);
  await Promise.all(lives);
  const events = jsonLines(outcome) as Line[];
  const rounds = events.filter(({ type }) => type === 'round');
  const counted = new Set(
    rounds.flatMap(({ round, workers }) => (workers as string[]).map((one) => `${one} ${round}`)),
  );
  const [trained, kept]: [number[], number[]] = [[], []];
  for (const worker of honest) {
    const ended = await worker.done;
    expect(ended.code, ended.stderr).toBe(0);
    for (const { type, worker, round, tokens } of jsonLines(ended) as Line[]) {
      if (type !== 'contributed') continue;
      trained.push(Number(tokens));
      if (counted.has(`${worker} ${round}`)) kept.push(Number(tokens));
    }
  }
  const seconds = rounds.map((round) => (round.seconds as { round: number }).round).sort((a, b) => a - b);
  return {
    events,
    rounds,
    liars,
    /** Of what the honest have trained on, how much counted. */
    goodput: sum(kept) / sum(trained),
    tokensPerSecond: sum(kept) / sum(seconds),
    /** Seconds of the round in the middle. */
    median: seconds[seconds.length >> 1]!,
    losses: new Map(
      events.filter(({ type }) => type === 'evaluation').map((e) => [Number(e.step), Number(e.val_loss)]),
    ),
  };
}

/** Between the evaluations before and after a step, which are at other steps in each run. */
function lossAt(losses: ReadonlyMap<number, number>, step: number): number {
  const known = [...losses].sort(([a], [b]) => a - b);
  const [before, atBefore] = known.findLast(([one]) => one <= step) ?? known[0]!;
  const [after, atAfter] = known.find(([one]) => one >= step)!;
  const way = after === before ? 0 : (step - before) / (after - before);
  return atBefore + way * (atAfter - atBefore);
}

describe.skipIf(!natsThere)('hostile workers on a real server (skipped without nats-server)', () => {
  test(`two of five do for ${SECONDS} s what harms, at random: the honest go on as without them`, {
    timeout: 240_000 + 4000 * SECONDS,
  }, async () => {
    const alone = await play(at('alone'), 0);
    const beset = await play(at('beset'), 2);
    const { events, rounds, liars } = beset;
    const acts = liars.reduce<Record<string, number>>((all, { done }) => {
      for (const [what, times] of Object.entries(done)) all[what] = (all[what] ?? 0) + times;
      return all;
    }, {});
    const refused = events.filter(({ type }) => type === 'refused');
    const evicted = events.filter(({ type, change }) => type === 'member' && change === 'evicted');
    const aborted = events.filter(({ type }) => type === 'aborted');
    const step = Math.min(...[alone, beset].map(({ losses }) => Math.max(...losses.keys())));
    const [without, loss] = [lossAt(alone.losses, step), lossAt(beset.losses, step)];
    const report = {
      ...{ round_seconds: [alone.median, beset.median], grace: GRACE },
      ...{ acts, lives: sum(liars.map(({ lives }) => lives)), rounds: [alone.rounds.length, rounds.length] },
      ...{ goodput: [alone.goodput, beset.goodput], tokens_per_second: [alone.tokensPerSecond, beset.tokensPerSecond] },
      ...{ step, losses: [without, loss], refused: refused.length, evicted: evicted.length, aborted: aborted.length },
    };
    process.stderr.write(`${JSON.stringify(report)}\n`);
    expect(sum(Object.values(acts))).toBeGreaterThan(SECONDS);
    expect([...refused, ...evicted].length).toBeGreaterThan(0);
    expect(evicted.filter(({ worker }) => isHonest(worker))).toEqual([]);
    expect(beset.goodput / alone.goodput).toBeGreaterThanOrEqual(0.95);
    // Who takes part and sends nothing holds a round up by its grace window, and by no more.
    expect(beset.median).toBeLessThan(alone.median + 2 * GRACE);
    // Early in a run the loss falls by more than that between two evaluations.
    expect(Math.abs(loss / without - 1)).toBeLessThanOrEqual(SECONDS < 120 ? 0.05 : 0.01);
    const resumed = await coordinate(at('beset'), '--resume');
    takePart(resumed.invitation, 'honest', at('cache'));
    for (const name of HONEST.slice(1)) takePart(resumed.invitation, name, at('cache'));
    await resumed.said(`"type":"round"`);
    const stopped = await meanfield('cluster', 'stop', at('beset'));
    expect(stopped.code, stopped.stderr).toBe(0);
    expect((await resumed.done).code).toBe(130);
  });
});
