import { readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { CLUSTER, coordinate, ENDLESS, endLeftovers, resultOf, takePart } from './cluster.js';
import { jsonLines, meanfield, start, text, workFolder } from './command.js';

const at = workFolder();
endLeftovers();

beforeAll(async () => {
  await writeFile(at('good.txt'), text(20_000));
});

describe.skipIf(!natsThere)('a run of many machines (skipped without nats-server)', () => {
  test('two join, one model comes out, and everybody ends', async () => {
    const coordinator = await coordinate(at('whole'), at('good.txt'), ...CLUSTER, '--min-workers', '2');
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at('cache')));
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    const result = resultOf(outcome);
    expect(result).toMatchObject({ type: 'result', run: at('whole'), replicas: 2, interrupted: false });
    expect(result.step).toBeGreaterThanOrEqual(20);
    for (const worker of workers) {
      const ended = await worker.done;
      expect(ended.code, ended.stderr).toBe(0);
      expect(resultOf(ended)).toMatchObject({ type: 'result', ended: 'finished' });
    }
    const tokens = await Promise.all(workers.map(async ({ done }) => Number(resultOf(await done).tokens)));
    expect(tokens[0]! + tokens[1]!).toBe(result.tokens);
    const rounds = jsonLines(outcome).filter(({ type }) => type === 'round');
    expect(rounds.map(({ round }) => round)).toEqual(rounds.map((_, i) => i + 1));
    expect(await readdir(at('whole/nats'))).not.toContain('store');
    const generated = await meanfield('generate', at('whole'), '--max-tokens', '4', '--json');
    expect(generated.code, generated.stderr).toBe(0);
    const info = resultOf(await meanfield('info', at('whole'), '--json'));
    expect(info).toMatchObject({ kind: 'run', progress: { step: result.step } });
    for (const command of ['stop', 'watch']) {
      const late = await meanfield('cluster', command, at('whole'));
      expect(late.code).toBe(1);
      expect(late.stderr).toMatch(/The run in .* is over.*meanfield info .*--resume/s);
    }
  });

  test('a worker that is killed is done without, another takes its place', async () => {
    const coordinator = await coordinate(at('killed'), at('good.txt'), ...ENDLESS, '--heartbeat-timeout', '2');
    const first = takePart(coordinator.invitation, 'first', at('cache'));
    const second = takePart(coordinator.invitation, 'second', at('cache'));
    await coordinator.said(/"type":"round".*"workers":\["[a-z]+-\d","[a-z]+-\d"\]/);
    first.child.kill('SIGKILL');
    await coordinator.said(/"type":"member","worker":"first-\d","change":"left"/);
    const third = takePart(coordinator.invitation, 'third', at('cache'));
    await coordinator.said(/"type":"round".*"workers":\[("second-\d","third-\d"|"third-\d","second-\d")\]/);
    coordinator.child.kill('SIGINT');
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    expect(resultOf(outcome)).toMatchObject({ type: 'result', interrupted: true });
    expect(await readdir(at('killed/checkpoints'))).toHaveLength(1);
    for (const worker of [second, third]) worker.child.kill('SIGKILL');
  });

  test('a coordinator that is killed carries on where it was, with the same workers', async () => {
    const coordinator = await coordinate(at('resumed'), at('good.txt'), ...ENDLESS, '--min-workers', '2');
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at('cache')));
    await coordinator.said(/"type":"round".*"round":3,/);
    coordinator.child.kill('SIGKILL');
    const before = jsonLines(await coordinator.done).filter(({ type }) => type === 'round');
    const again = await coordinate(at('resumed'), '--resume');
    expect(again.invitation).toBe(coordinator.invitation);
    await again.said(/"type":"round"/);
    for (const worker of workers) expect(worker.child.exitCode).toBeNull();
    again.child.kill('SIGINT');
    const outcome = await again.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    const after = jsonLines(outcome).filter(({ type }) => type === 'round');
    const last = Number(before.at(-1)!.round);
    expect([last, last + 1]).toContain(Number(after[0]!.round) - 1);
    expect(Number(after[0]!.step)).toBeGreaterThan(Number(before.at(-1)!.step));
  });

  test('our server is killed and comes back by itself; the run goes on with the same workers', async () => {
    const coordinator = await coordinate(at('revived'), at('good.txt'), ...ENDLESS, '--min-workers', '2');
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at('cache')));
    await coordinator.said(/"type":"round".*"round":3,/);
    const { pid } = JSON.parse(await readFile(at('revived/nats/server.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await coordinator.said(/"type":"notice".*started again.*(\n.*)*"type":"round"/);
    for (const { child } of workers) expect(child.exitCode).toBeNull();
    coordinator.child.kill('SIGINT');
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    const rounds = jsonLines(outcome).filter(({ type }) => type === 'round');
    expect(rounds.map(({ round }) => round)).toEqual(rounds.map((_, i) => i + 1));
    for (const worker of workers) expect((await worker.done).code).toBe(0);
  });

  test('Ctrl-C at a worker leaves; status and stop tell and end the run', async () => {
    const coordinator = await coordinate(at('stopped'), at('good.txt'), ...ENDLESS);
    const worker = takePart(coordinator.invitation, 'a', at('cache'), '--replicas', '2');
    await coordinator.said('"type":"round"');
    const status = resultOf(await meanfield('cluster', 'status', at('stopped'), '--json'));
    expect(status).toMatchObject({ type: 'result', step: expect.any(Number), evicted: [] });
    expect((status.workers as { worker: string }[]).map(({ worker: name }) => name)).toEqual(['a-1', 'a-2']);
    const shown = await meanfield('cluster', 'status', at('stopped'));
    expect(shown.stdout).toMatch(/worker +host +state.*\na-1 +a /s);
    worker.child.kill('SIGINT');
    const left = await worker.done;
    expect(left.code, left.stderr).toBe(0);
    expect(resultOf(left)).toMatchObject({ ended: 'left' });
    await coordinator.said(/"worker":"a-2","change":"left"/);
    const watching = start(['cluster', 'watch', at('stopped'), '--every', '0.2', '--json']);
    await watching.said('"type":"status"');
    const stopping = await meanfield('cluster', 'stop', at('stopped'));
    expect(stopping.code, stopping.stderr).toBe(0);
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    const watched = await watching.done;
    expect(watched.code, watched.stderr).toBe(0);
    expect(resultOf(watched)).toMatchObject({ type: 'result', run: status.run });
  });

  test('an invitation is made, used once, listed and withdrawn', async () => {
    const coordinator = await coordinate(at('invited'), at('good.txt'), ...ENDLESS);
    const invite = async (...args: string[]) => {
      const outcome = await meanfield('cluster', 'invite', at('invited'), ...args, '--json');
      expect(outcome.code, outcome.stderr).toBe(0);
      return resultOf(outcome);
    };
    const once = await invite('--once', '--invite-hours', '2');
    const worker = takePart(String(once.invitation), 'a', at('cache'));
    await coordinator.said('"type":"round"');
    const second = await takePart(String(once.invitation), 'b', at('cache')).done;
    expect(second.code).toBe(1);
    expect(second.stdout + second.stderr).toMatch(/for one machine/);
    expect((await invite('--list')).invitations).toEqual([
      expect.objectContaining({ once: false, used: false }),
      expect.objectContaining({ id: once.id, once: true, used: true }),
    ]);
    expect((await invite('--revoke', 'all')).revoked).toHaveLength(2);
    const late = await takePart(coordinator.invitation, 'c', at('cache')).done;
    expect(late.code).toBe(1);
    expect(late.stdout + late.stderr).toMatch(/refused our credential.*withdrawn/s);
    expect(worker.child.exitCode).toBeNull();
    const wrong = await meanfield('cluster', 'invite', at('invited'), '--once', '--list');
    expect(wrong.code).toBe(2);
    coordinator.child.kill('SIGINT');
    expect((await coordinator.done).code).toBe(130);
  });

  test('who comes by an invitation with approval waits until a person lets it in, or turns it away', async () => {
    const folder = at('approved');
    const coordinator = await coordinate(folder, at('good.txt'), ...ENDLESS, '--approve');
    const status = async () => resultOf(await meanfield('cluster', 'status', folder, '--json'));
    const worker = takePart(coordinator.invitation, 'a', at('cache'));
    await coordinator.said('"type":"asking"');
    await worker.said('"type":"asking"');
    expect(await status()).toMatchObject({ workers: [], asking: [{ host: 'a', address: '127.0.0.1', replicas: 1 }] });
    coordinator.child.kill('SIGKILL');
    await coordinator.done;
    const again = await coordinate(folder, '--resume');
    const [{ id }] = (await status()).asking as [{ id: string }];
    const shown = await meanfield('cluster', 'status', folder);
    expect(shown.stdout).toMatch(new RegExp(`wait for approval.*${id} +a at 127\\.0\\.0\\.1, 1 replica`, 's'));
    const wrong = await meanfield('cluster', 'approve', folder, '0123456789ab');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/No machine 0123456789ab waits for approval/);
    const approving = await meanfield('cluster', 'approve', folder, id);
    expect(approving.code, approving.stderr).toBe(0);
    await again.said('"type":"round"');
    // Started again it still asks for approval.
    const other = takePart(again.invitation, 'b', at('cache'));
    await other.said('"type":"asking"');
    const [second] = (await status()).asking as [{ id: string }];
    expect((await meanfield('cluster', 'refuse', folder, second.id)).code).toBe(0);
    const refused = await other.done;
    expect(refused.code).toBe(3);
    expect(refused.stdout + refused.stderr).toMatch(/owner has refused this machine/);
    expect(worker.child.exitCode).toBeNull();
    again.child.kill('SIGINT');
    expect((await again.done).code).toBe(130);
  });

  test('who is evicted ends with the reason and does not come back; the others go on', async () => {
    const coordinator = await coordinate(at('evicted'), at('good.txt'), ...ENDLESS);
    const bad = takePart(coordinator.invitation, 'bad', at('cache'));
    const good = takePart(coordinator.invitation, 'good', at('cache'));
    await coordinator.said(/"type":"round".*"workers":\["[a-z]+-\d","[a-z]+-\d"\]/);
    const status = resultOf(await meanfield('cluster', 'status', at('evicted'), '--json'));
    const name = (status.workers as { worker: string }[]).map(({ worker }) => worker).find((one) => /^bad/.test(one))!;
    const audit = resultOf(await meanfield('cluster', 'audit', at('evicted'), name, '--windows', '8', '--json'));
    expect(audit).toMatchObject({ type: 'result', worker: name, windows: expect.any(Number) });
    for (const key of ['base_loss', 'contribution_loss', 'committed_loss', 'norm'])
      expect(audit[key], key).toEqual(expect.any(Number));
    const evicting = await meanfield('cluster', 'evict', at('evicted'), name, '--reason', 'too odd');
    expect(evicting.code, evicting.stderr).toBe(0);
    const out = await bad.done;
    expect(out.code).toBe(3);
    const after = resultOf(await meanfield('cluster', 'status', at('evicted'), '--json'));
    expect(after.evicted).toEqual([name]);
    await coordinator.said(/"type":"round".*"workers":\["good-\d"\]/);
    expect(good.child.exitCode).toBeNull();
    const secrets = async () =>
      JSON.parse(await readFile(at('evicted/nats/secrets.json'), 'utf8')) as {
        workers: { key: string; names: string[] }[];
        evicted: string[];
      };
    const nameOfGood = (await secrets()).workers.flatMap(({ names }) => names)[0]!;
    // One that is not there at the moment, and may come back by its old key.
    const silent = takePart(coordinator.invitation, 'silent', at('cache'));
    await coordinator.said(/"type":"round".*"workers":\["good-\d","silent-\d"\]/);
    silent.child.kill('SIGKILL');
    await coordinator.said(/"type":"member","worker":"silent-\d","change":"left"/);
    const absent = (await secrets()).workers.find(({ names }) => names[0]!.startsWith('silent'))!;
    const late = await meanfield('cluster', 'evict', at('evicted'), absent.names[0]!, '--json');
    expect(resultOf(late)).toMatchObject({ evicted: absent.names[0], known: true });
    await expect.poll(async () => (await secrets()).evicted).toContain(absent.key);
    expect((await secrets()).workers.map(({ names }) => names)).toEqual([[nameOfGood]]);
    // And one that says that it leaves is forgotten.
    good.child.kill('SIGINT');
    expect((await good.done).code).toBe(0);
    // Its last words are waited for, and then the server reads its accounts at most once a second.
    await expect.poll(async () => (await secrets()).workers, { timeout: 10_000 }).toEqual([]);
    expect((await secrets()).evicted).toHaveLength(2);
  });
});

test('a wrong invitation is refused with what to do', async () => {
  const none = await meanfield('join', 'hello');
  expect(none.code).toBe(1);
  expect(none.stderr).toMatch(/Expected an invitation.*cluster start/s);
  const damaged = await meanfield('join', 'mf2.abc.00000000', '--json');
  expect(damaged.code).toBe(1);
  expect(resultOf(damaged)).toMatchObject({ type: 'error', message: expect.stringContaining('copied in part') });
});

test('what does not go together is refused before anything begins', async () => {
  for (const [args, reason] of [
    [['--shared-credential'], /--shared-credential is for a server that runs already/],
    [['--nats', 'nats://h', '--port', '1'], /--port is for a server that Meanfield starts/],
    [['--nats-replicas', '3'], /cluster of three servers/],
    [['--quorum', '2'], /--quorum/],
    [['--data', 'here'], /Expected send, path:/],
  ] as const) {
    const outcome = await meanfield('cluster', 'start', at('good.txt'), '--run', at('never'), ...args);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toMatch(reason);
  }
  expect(await readdir(at())).not.toContain('never');
  const status = await meanfield('cluster', 'status', at());
  expect(status.code).toBe(1);
  expect(status.stderr).toMatch(/no run between machines/);
});
