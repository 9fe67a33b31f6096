import { afterEach, describe, expect, it } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { jsonLines, meanfield, type Running, start } from './command.js';

const running: Running[] = [];

afterEach(async () => {
  for (const { child } of running) if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  await Promise.allSettled(running.splice(0).map(({ done }) => done));
});

function run(...args: string[]): Running {
  const one = start(['linpack', ...args, '--json']);
  running.push(one);
  return one;
}

async function host(...args: string[]) {
  const one = run('--host', '127.0.0.1', '--port', '0', ...args);
  await one.said('"type":"invitation"');
  const invitation = /"invitation":"(mf2[^"]+)"/.exec(one.output())![1]!;
  return { ...one, invitation };
}

describe.skipIf(!natsThere)('meanfield linpack on many machines', () => {
  it.each(['1x2', '2x2'])('solves on %s processes', async (grid) => {
    const { invitation, done } = await host('--machines', grid, '--n', '500', '--nb', '100');
    const size = grid === '1x2' ? 2 : 4;
    const guests = Array.from({ length: size }, () => run('--join', invitation));
    const outcome = await done;
    expect(outcome.code, outcome.stderr).toBe(0);
    const result = jsonLines(outcome).at(-1)!;
    expect(result).toMatchObject({ type: 'result', benchmark: 'hpl', n: 500, nb: 100, passed: true });
    expect(result.residual).toBeLessThan(16);
    expect(result.paying_bandwidth).toBeGreaterThan(0);
    for (const guest of guests) expect((await guest.done).code).toBe(0);
  });

  it('ends for all, with a reason, when a machine dies', async () => {
    const { invitation, done, said } = await host('--machines', '1x2', '--n', '4000', '--nb', '64', '--patience', '10');
    const [first, second] = [run('--join', invitation), run('--join', invitation)];
    await said('"type":"progress"');
    second!.child.kill('SIGKILL');
    const outcome = await done;
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /Machine [01] \(.*\) has not been heard for 10 seconds; a grid cannot go on without it/,
    );
    const left = await first!.done;
    expect(left.code).toBe(1);
    expect(left.stderr).toMatch(/has not been heard/);
  });
});

it.each([
  [['--machines', '2'], /--machines: expected rows and columns of a grid as 2x3/],
  [['--machines', '100x100'], /256 machines at most/],
  [['--machines', '1x2', '--threads', '2'], /--threads is for one machine/],
  [['--join', 'x', '--n', '5'], /--n goes with the machine that coordinates/],
])('%j is refused', async (args, message) => {
  const outcome = await meanfield('linpack', ...args);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toMatch(message);
});
