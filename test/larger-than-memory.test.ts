import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, it, vi } from 'vitest';
import { writeFileSynced } from '../src/base/files/atomic.js';
import { Random } from '../src/base/random.js';
import { encodeSafetensors } from '../src/base/safetensors-writer.js';
import { BytesTokenizer } from '../src/data/index.js';
import { Model } from '../src/model/model.js';
import { meanfield, program, workFolder } from './command.js';

// Machines may have other work.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const at = workFolder();
/** What a process may have resident: about half of what the model's parameters take in float32. */
const LIMIT = 0.45;
const sizes = { layers: 16, width: 1024, heads: 8, keyValueHeads: 8, context: 64, vocabulary: 256 };

/** A model of 200 million parameters in bfloat16: 0.8 GB in float32. */
beforeAll(async () => {
  const model = Model.create('gpt2', sizes);
  const random = new Random(1);
  const some = Float32Array.from({ length: 2 ** 16 }, () => 0.05 * random.normal());
  const tensors = model.layout.entries.map(({ name, shape, size }, i) => ({
    ...{ name, shape, rounded: 'BF16' as const },
    data: Float32Array.from({ length: size }, (_, at) => some[(at + 7919 * i) & 0xffff]!),
  }));
  await mkdir(at('model'));
  await writeFileSynced(at('model/model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
  await writeFile(at('model/config.json'), JSON.stringify(model.config));
  for (const [name, content] of Object.entries(new BytesTokenizer().files()))
    await writeFile(at('model', name), content);
  const source = new URL('../examples/tinyshakespeare.txt', import.meta.url);
  await writeFile(at('text.txt'), (await readFile(source, 'utf8')).slice(0, 600));
});

/** Runs a command, and looks at what it has resident at most, as Linux counts it; files in the page cache are not in it. */
async function peakOf(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let peak = 0;
  const look = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
  }, 20);
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  clearInterval(look);
  const events = out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  return { code: child.exitCode, errors, peak, result: events.at(-1), events };
}

it.skipIf(process.platform !== 'linux')(
  'a model is measured, writes and is exported in half of what it takes',
  async () => {
    const memory = ['--memory', String(LIMIT)];
    const files = [at('model'), at('text.txt')];
    const [little, whole] = [await peakOf('eval', ...files, ...memory), await peakOf('eval', ...files)];
    expect([little.code, little.errors]).toEqual([0, expect.stringContaining('layer by layer')]);
    expect(little.peak).toBeLessThan(1e9 * LIMIT);
    expect(whole.peak).toBeGreaterThan(2e9 * LIMIT);
    const { loss, accuracy, tokens } = whole.result;
    expect(little.result).toMatchObject({ accuracy, tokens });
    expect(little.result.loss / loss).toBeCloseTo(1, 5);

    const writing = ['generate', at('model'), '--prompt', 'To be', '--max-tokens', '6', '--temperature', '0'];
    const [some, all] = [await peakOf(...writing, ...memory), await peakOf(...writing)];
    expect([some.code, some.result.text]).toEqual([0, all.result.text]);
    expect(some.peak).toBeLessThan(1e9 * LIMIT);

    for (const [to, dtype] of [
      ['hf', 'fp32'],
      ['hf', 'bf16'],
      ['gguf', 'f16'],
    ] as const) {
      const made = await peakOf('export', at('model'), '--to', to, '--dtype', dtype, '--out', at(`${to}-${dtype}`));
      expect([made.code, made.errors]).toEqual([0, expect.any(String)]);
      expect(made.peak).toBeLessThan(1e9 * LIMIT);
    }
    const hash = async (path: string) =>
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
    // What was bfloat16 is so again, to the byte.
    expect(await hash(at('hf-bf16/model.safetensors'))).toBe(await hash(at('model/model.safetensors')));
  },
);

it('what cannot fit is refused with the sums, and what cannot come layer by layer by its name', async () => {
  const tight = await meanfield('eval', at('model'), at('text.txt'), '--memory', '0.1');
  expect(tight.code).toBe(1);
  expect(tight.stderr).toMatch(/does not fit into --memory 0\.1: as a whole .*, and layer by layer .* GB|MB/);
  const few = await meanfield('eval', at('model'), at('text.txt'), '--memory', '0.3', '--precision', 'int8');
  expect([few.code, few.stderr]).toEqual([2, expect.stringContaining('single precision')]);
});

it('files that are cut, or change while they are read, are told of', async () => {
  const { size } = await stat(at('model/model.safetensors'));
  const running = peakOf('generate', at('model'), '--max-tokens', '500', '--memory', String(LIMIT));
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const later = new Date(Date.now() + 60_000);
  await utimes(at('model/model.safetensors'), later, later);
  const changed = await running;
  expect([changed.code, changed.errors]).toEqual([1, expect.stringContaining('was changed while it was read')]);
  await truncate(at('model/model.safetensors'), size - 4096);
  const cut = await meanfield('eval', at('model'), at('text.txt'), '--memory', String(LIMIT));
  expect([cut.code, cut.stderr]).toEqual([1, expect.stringContaining(join(at('model'), 'model.safetensors'))]);
});
