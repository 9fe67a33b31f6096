import { readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { sha256File } from '../src/base/hash.js';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { CLUSTER, coordinate, ENDLESS, endLeftovers, resultOf, takePart } from './cluster.js';
import { jsonLines, meanfield, text, workFolder } from './command.js';

const at = workFolder();
endLeftovers();

beforeAll(async () => {
  await writeFile(at('good.txt'), text(20_000));
});

const GPT2 = ['--model', 'gpt2'];
const FREEZE = [...GPT2, '--freeze', '*', '--freeze', '!h.0.mlp.*,!ln_f.*'];
const isTrained = (name: string) => /\.mlp\.|\.ln_f\./.test(name);

async function namesIn(path: string): Promise<string[]> {
  const file = await SafetensorsFile.open(path);
  await file.close();
  return [...file.tensors.keys()];
}

describe.skipIf(!natsThere)('machines that train a part of a model (skipped without nats-server)', () => {
  test('fetch the frozen part once, and one model of both comes out', async () => {
    const coordinator = await coordinate(at('part'), at('good.txt'), ...CLUSTER, ...FREEZE, '--min-workers', '2');
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at(`cache-${name}`)));
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(resultOf(outcome)).toMatchObject({ type: 'result', replicas: 2, interrupted: false });
    for (const worker of workers) {
      const ended = await worker.done;
      expect(ended.code, ended.stderr).toBe(0);
      expect(resultOf(ended)).toMatchObject({ ended: 'finished' });
    }
    const { chosen } = JSON.parse(await readFile(at('part/run.json'), 'utf8'));
    const frozen = await sha256File(at('part/frozen.safetensors'));
    expect(chosen.frozen.sha256).toBe(frozen);
    for (const name of ['a', 'b'])
      expect(await sha256File(at(`cache-${name}/frozen-${frozen}.safetensors`))).toBe(frozen);
    const [checkpoint] = (await readdir(at('part/checkpoints'))).reverse();
    const saved = await namesIn(at(`part/checkpoints/${checkpoint}/model.safetensors`));
    const kept = await namesIn(at('part/frozen.safetensors'));
    expect([saved.every(isTrained), kept.some(isTrained)]).toEqual([true, false]);
    expect([...saved, ...kept].sort()).toEqual((await namesIn(at('part/model/model.safetensors'))).sort());
    const generated = await meanfield('generate', at('part'), '--max-tokens', '4', '--json');
    expect(generated.code, generated.stderr).toBe(0);
  });

  test('drop activations where they are told to', async () => {
    const some = [...GPT2, '--dropout', '0.2', '--min-workers', '1'];
    const coordinator = await coordinate(at('dropped'), at('good.txt'), ...CLUSTER, ...some);
    takePart(coordinator.invitation, 'a', at('cache-a'));
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    const config = JSON.parse(await readFile(at('dropped/model/config.json'), 'utf8'));
    expect(config).toMatchObject({ resid_pdrop: 0.2, embd_pdrop: 0.2, attn_pdrop: 0.2 });
  });

  test('go on after the coordinator is killed, and one that joins later takes part', async () => {
    const coordinator = await coordinate(at('killed'), at('good.txt'), ...ENDLESS, ...FREEZE);
    takePart(coordinator.invitation, 'a', at('cache-a'));
    await coordinator.said(/"type":"round".*"round":3,/);
    coordinator.child.kill('SIGKILL');
    await coordinator.done;
    const again = await coordinate(at('killed'), '--resume');
    takePart(coordinator.invitation, 'c', at('cache-c'));
    await again.said(/"type":"round".*"workers":\["a-\d","c-\d"\]/);
    again.child.kill('SIGINT');
    const outcome = await again.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    const rounds = jsonLines(outcome).filter(({ type }) => type === 'round');
    expect(rounds.map(({ round }) => round)).toEqual(rounds.map((_, i) => Number(rounds[0]!.round) + i));
  });
});
