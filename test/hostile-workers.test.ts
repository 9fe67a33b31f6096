import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { buildChild, type ChildProgram, kill } from './child.js';
import { coordinate, ENDLESS, endLeftovers, resultOf, takePart } from './cluster.js';
import { jsonLines, meanfield, type Running, workFolder } from './command.js';

/** How long the hostile are there. */
const SECONDS = Number(process.env.MEANFIELD_HOSTILE_SECONDS ?? 10);
const HONEST = ['honest', 'upright', 'decent'];
const HOSTILE = ['evil0', 'evil1'];
/**
 * Rounds of a second or so: shorter ones, all messages and hardly a step, would say what two more members cost. In a short
 * run they are counted by fifths of that, or one more or less would be a tenth of it.
 */
const STEPS = SECONDS < 120 ? '50' : '250';
const OPTIONS = [
  ...[...ENDLESS, '--sync-every', STEPS, '--eval-every', STEPS, '--lr', '3e-3'],
  ...['--min-workers', '3', '--heartbeat-timeout', '2'],
];

const at = workFolder();
endLeftovers();
let hostile: ChildProgram;
beforeAll(async () => {
  const shakespeare = await readFile('examples/tinyshakespeare.txt', 'utf8');
  await writeFile(at('good.txt'), shakespeare.slice(0, 100_000));
  hostile = await buildChild('hostile-workers');
});
afterAll(() => hostile.remove());

type Line = Record<string, unknown> & { readonly type: string };
const is = (names: readonly string[]) => (worker: unknown) =>
  names.some((name) => String(worker).startsWith(`${name}-`));
const [isHonest, isHostile] = [is(HONEST), is(HOSTILE)];
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const linesOf = (output: string) =>
  output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

interface Play {
  readonly folder: string;
  readonly coordinator: Running & { readonly invitation: string };
  readonly honest: readonly Running[];
}

/** Three honest workers that have come to their first commit. */
async function begin(folder: string): Promise<Play> {
  const coordinator = await coordinate(folder, at('good.txt'), ...OPTIONS);
  const honest = HONEST.map((name) => takePart(coordinator.invitation, name, at('cache')));
  await coordinator.said('"type":"round"');
  return { folder, coordinator, honest };
}

/** The last round that a coordinator has told of. */
const roundsOf = ({ coordinator }: Play) => coordinator.output().split('"type":"round"').length - 1;

/** Ends a run, and tells what became of its rounds from the one after `first` to `last`. */
async function end({ folder, coordinator, honest }: Play, first: number, last: number) {
  const stopped = await meanfield('cluster', 'stop', folder);
  expect(stopped.code, stopped.stderr).toBe(0);
  const outcome = await coordinator.done;
  expect(outcome.code, outcome.stderr).toBe(130);
  const events = jsonLines(outcome) as Line[];
  const rounds = events.filter(({ type }) => type === 'round').slice(first, last);
  const counted = new Set(
    rounds.flatMap(({ round, workers }) => (workers as string[]).map((one) => `${one} ${round}`)),
  );
  const opened = new Set(rounds.map(({ round }) => round));
  let [trained, kept] = [0, 0];
  for (const worker of honest) {
    const ended = await worker.done;
    expect(ended.code, ended.stderr).toBe(0);
    for (const { type, worker, round, tokens } of jsonLines(ended) as Line[]) {
      if (type !== 'contributed' || !opened.has(round)) continue;
      trained += Number(tokens);
      if (counted.has(`${worker} ${round}`)) kept += Number(tokens);
    }
  }
  const evaluations = events.filter(({ type }) => type === 'evaluation');
  const losses = new Map(evaluations.map(({ step, val_loss }) => [Number(step), Number(val_loss)]));
  const means = Object.fromEntries(
    ['round', 'train', 'upload', 'wait', 'reduce', 'gather', 'commit'].map((phase) => {
      const all = rounds.map(({ seconds }) => (seconds as Record<string, number>)[phase]!);
      return [phase, Number((sum(all) / all.length).toFixed(3))];
    }),
  );
  return { events, rounds, trained, kept, losses, means };
}

/** Between the evaluations before and after a step, which are at other steps in each run. */
function lossAt(losses: ReadonlyMap<number, number>, step: number): number {
  const known = [...losses].sort(([a], [b]) => a - b);
  const [before, atBefore] = known.findLast(([one]) => one <= step) ?? known[0]!;
  const [after, atAfter] = known.find(([one]) => one >= step)!;
  const way = after === before ? 0 : (step - before) / (after - before);
  return atBefore + way * (atAfter - atBefore);
}

/**
 * Over the last fifth of the steps to this one: of a run whose rate does not fall, one evaluation is as much as a percent
 * from the next.
 */
function lateLoss(losses: ReadonlyMap<number, number>, step: number): number {
  const points = 20;
  return sum(Array.from({ length: points }, (_, i) => lossAt(losses, step * (1 - i / points / 5)))) / points;
}

/** Who the coordinator knows as taking part. */
async function membersOf(folder: string): Promise<string[]> {
  const status = await meanfield('cluster', 'status', folder, '--json');
  expect(status.code, status.stderr).toBe(0);
  return (resultOf(status).workers as { worker: string }[]).map(({ worker }) => worker);
}

describe.skipIf(!natsThere)('hostile workers on a real server (skipped without nats-server)', () => {
  // The run without hostile workers goes on at the same time on the same machine. One after the other, the two would be
  // told apart by whatever else the machine does; so both get the same share of it, and what one of them waits for
  // nothing the other one uses, which makes the comparison stricter. Hostile machines are none of ours: what their process
  // takes of this one, it takes from both.
  test(`two of five do for ${SECONDS} s what harms, at random: the honest go on as without them`, {
    timeout: 240_000 + 2000 * SECONDS,
  }, async () => {
    const plays = await Promise.all(['alone', 'beset'].map((name) => begin(at(name))));
    const [alone, beset] = plays as [Play, Play];
    const liars = hostile.start(beset.coordinator.invitation, ...HOSTILE);
    const said = text(liars.stdout!);
    const first = plays.map(roundsOf);
    await sleep(1000 * SECONDS);
    const last = plays.map(roundsOf);
    liars.stdin!.end();
    await Promise.race([once(liars, 'exit'), sleep(60_000)]);
    await kill(liars);
    const lies = JSON.parse(await said) as { done: Record<string, number>; names: string[] }[];
    // Whoever is still in falls silent now, and is taken for dead.
    await expect
      .poll(() => membersOf(beset.folder), { timeout: 30_000, interval: 500 })
      .toSatisfy((members: string[]) => members.length === HONEST.length && members.every(isHonest));
    const without = await end(alone, first[0]!, last[0]!);
    const { events, rounds, trained, kept, losses, means } = await end(beset, first[1]!, last[1]!);

    const refused = events.filter(({ type }) => type === 'refused');
    const evicted = events.filter(({ type, change }) => type === 'member' && change === 'evicted');
    const deceived = new Set(rounds.flatMap(({ workers }) => (workers as string[]).filter(isHostile)));
    const step = Math.min(...[without.losses, losses].map((one) => Math.max(...one.keys())));
    const loss = [lateLoss(without.losses, step), lateLoss(losses, step)] as const;
    const lastLosses = [lossAt(without.losses, step), lossAt(losses, step)];
    const report = {
      ...{ seconds: [without.means, means], rounds: [without.rounds.length, rounds.length] },
      ...{ tokens_per_second: [without.kept, kept].map((tokens) => tokens / SECONDS), goodput: kept / without.kept },
      ...{ kept: [without.kept / without.trained, kept / trained], step, losses: loss, last_losses: lastLosses },
      ...{ acts: lies.map(({ done }) => done), lives: lies.map(({ names }) => names), deceived: [...deceived] },
      ...{ refused: refused.length, evicted: evicted.map(({ worker }) => worker) },
    };
    process.stderr.write(`${JSON.stringify(report)}\n`);
    expect(sum(lies.flatMap(({ done }) => Object.values(done)))).toBeGreaterThan(SECONDS);
    expect(evicted.filter(({ worker }) => isHonest(worker))).toEqual([]);
    // Ignored: nothing of it was ever counted. Of who is there at the end it may still come out.
    const out = new Set([...evicted.map(({ worker }) => worker), ...lies.map(({ names }) => names.at(-1))]);
    expect([...deceived].filter((worker) => !out.has(worker))).toEqual([]);
    expect(refused.length + evicted.length).toBeGreaterThan(0);
    // A short run has one grace to lose, and a busy machine: it shows that the run goes on, not how fast.
    // Five minutes came out from 91 to 96 % (bench/RESULTS.md): the bound is what no sound build falls below.
    const least = SECONDS < 120 ? 0.3 : 0.85;
    expect(kept / without.kept).toBeGreaterThanOrEqual(least);
    expect(kept / trained / (without.kept / without.trained)).toBeGreaterThanOrEqual(least);
    // Early in a run the loss falls by more than that between two evaluations. Of five minutes the last evaluations came
    // out from -0.7 to 1.1 % apart, as two runs do that learn their shares of the text in another order.
    expect(Math.abs(loss[1] / loss[0] - 1)).toBeLessThanOrEqual(SECONDS < 120 ? 0.05 : 0.02);

    const resumed = await coordinate(beset.folder, '--resume');
    for (const name of HONEST) takePart(resumed.invitation, name, at('cache'));
    await resumed.said('"type":"round"');
    const next = linesOf(resumed.output()).find(({ type }) => type === 'round')!;
    expect(Number(next.step)).toBeGreaterThan(Number(rounds.at(-1)!.step));
    const stopped = await meanfield('cluster', 'stop', beset.folder);
    expect(stopped.code, stopped.stderr).toBe(0);
    expect((await resumed.done).code).toBe(130);
  });
});
