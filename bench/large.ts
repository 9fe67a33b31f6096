/**
 * Models larger than memory: steps of a published size with all of it on disk, under a limit that the system enforces.
 *
 *   npm run bench -- large [--preset gpt2-1.5b] [--mib 1024] [--steps 3] [--tokens 512] [--accumulate 1] [--folder DIR]
 *     [--offload all]
 *   npm run bench -- large --lora LAYERS [--mib 4096] [--steps 3] [--tokens 512] [--folder DIR]
 *
 * The folder's disk needs 28 bytes a parameter, and 4 for the model that comes out. With `--lora` the model is a Llama of 7B's
 * shape (arXiv 2302.13971, table 2) of random weights in bf16, 2 bytes a parameter of disk: first an adapter beside four of its
 * layers and, to compare, all of their parameters, then one beside LAYERS (32). As root the limit is a control group's
 * (version 1 or 2), of all memory; else `ulimit -d`, of private writable memory, used or not: that ends some 15 % earlier.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { encodeSafetensors } from '../src/base/safetensors-writer.js';
import { Model } from '../src/model/model.js';
import { median, parseArgs, root, table } from './lib.js';
import { limitTo } from './memory-limit.js';

/** User and system time of a process, in seconds; Linux tells it in hundredths. */
async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** What was measured of a run: of each step its seconds, processor seconds and loss; and what the program said at its end. */
interface Measured {
  readonly steps: readonly (readonly [seconds: number, processor: number, loss: number])[];
  readonly before: readonly [seconds: number, processor: number];
  readonly peakMiB: number;
  readonly parameters: number;
}

/** Trains within a limit. @throws Error where it does not come to its end */
async function trained(given: readonly string[], mib: number, run: string): Promise<Measured & { limit: string }> {
  const limit = await limitTo(mib * 2 ** 20);
  // A round a step, so that each is told of.
  const train = ['train', ...given, '--run', run, '--sync-every', '1', '--force', '--json'];
  try {
    const child = spawn(
      'bash',
      ['-c', `${limit.first}; exec "$0" "$@"`, process.execPath, join(root, 'dist/cli.js'), ...train],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const steps: [number, number, number][] = [];
    let first: [number, number] = [Number.NaN, Number.NaN];
    let result: Record<string, unknown> | undefined;
    let told = 0;
    let [last, before] = [performance.now(), 0];
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as Record<string, unknown>;
      if (event.type === 'error') throw new Error(String(event.message));
      if (event.type === 'result') result = event;
      const isNew = event.type === 'progress' && Number(event.step) > told;
      if (event.type !== 'started' && !isNew) continue;
      const [now, processor] = [performance.now(), await processorSeconds(child.pid!)];
      const seconds = [(now - last) / 1000, processor - before] as const;
      if (isNew) {
        told = Number(event.step);
        steps.push([...seconds, Number(event.loss)]);
      } else first = [...seconds];
      [last, before] = [now, processor];
    }
    if (child.exitCode === null) await once(child, 'exit');
    if (!result) throw new Error(`it did not end within ${mib} MiB`);
    const peakMiB = Math.round(Number(result.peak_memory_bytes) / 2 ** 20);
    return { steps, before: first, peakMiB, parameters: Number(result.parameters), limit: limit.name };
  } finally {
    await limit.tidy();
  }
}

function tell(what: string, { steps, before, peakMiB, limit }: Awaited<ReturnType<typeof trained>>, mib: number): void {
  const rows = steps.map(([seconds, processor, loss], i) => [
    `to step ${i + 1}`,
    ...[seconds, processor].map((one) => one.toFixed(1)),
    loss.toFixed(4),
  ]);
  table(
    ['', 'seconds', 'processor seconds', 'loss'],
    [['before the first step', ...before.map((one) => one.toFixed(1)), '-'], ...rows],
  );
  console.log(
    `${what}, within ${mib} MiB by ${limit}; the process had at most ${peakMiB} MiB resident, files that it shares with others ` +
      'included, which a control group may not count.\n',
  );
}

/** A Llama of 7B's shape with so many layers, of random weights in bf16. */
async function randomLlama(folder: string, layers: number, text: string): Promise<string> {
  // What is beside the weights, a tokenizer above all, is that of a tiny one.
  const tiny = join(folder, 'tiny');
  const sizes = ['--preset', 'nano', '--model', 'llama', '--tokenizer', 'bytes', '--context', '16', '--steps', '1'];
  await trained([text, ...sizes], 4096, tiny);
  const model = join(folder, `llama-${layers}`);
  await rename(join(tiny, 'model'), model);
  await rm(tiny, { recursive: true });
  await rm(join(model, 'meanfield.json'));
  const config = {
    ...(JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as object),
    ...{ hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: layers, num_attention_heads: 32 },
    ...{ num_key_value_heads: 32, head_dim: 128, vocab_size: 32000, max_position_embeddings: 2048 },
    ...{ tie_word_embeddings: false, dtype: 'bfloat16' },
  };
  await writeFile(join(model, 'config.json'), JSON.stringify(config));
  const { entries } = Model.fromConfig(config).layout;
  // The upper halves of float32: a sign, small exponents, any fraction. All parameters begin with the same ones.
  const noise = new Uint16Array(Math.max(...entries.map(({ size }) => size)));
  let state = 1;
  for (let i = 0; i < noise.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    noise[i] = ((state >>> 31) << 15) | (0x3c00 + ((state >>> 16) & 0xff));
  }
  const ones = new Uint16Array(4096).fill(0x3f80);
  const tensors = entries.map(({ name, shape, size }) => ({
    ...{ name, shape },
    data: shape.length === 1 ? ones : noise.subarray(0, size),
  }));
  await writeFile(join(model, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
  return model;
}

async function besideBase(folder: string, text: string, options: Readonly<Record<string, string>>): Promise<void> {
  const { lora: layers = '32', mib = '4096', steps = '3', tokens = '512' } = options;
  const common = [
    '--offload',
    'all',
    '--context',
    tokens,
    '--batch-size',
    '1',
    '--steps',
    steps,
    '--eval-every',
    steps,
  ];
  const adapted = ['--adapter', 'lora', '--rank', '16'];
  const perStep = ({ steps: all }: Measured) => median(all.slice(1).map(([, processor]) => processor));
  const few = await randomLlama(folder, 4, text);
  const adapter = await trained([text, '--from', few, ...adapted, ...common], Number(mib), join(folder, 'adapter'));
  tell('LoRA beside 4 layers of a Llama of 7B', adapter, Number(mib));
  const all = await trained(
    [text, '--from', few, '--moments-precision', 'int8', '--lr', '1e-5', ...common],
    Number(mib),
    join(folder, 'all'),
  );
  tell('All parameters of these 4 layers, moments in 8 bits', all, Number(mib));
  console.log(
    `Processor time of a step beside that of all parameters: ${(perStep(adapter) / perStep(all)).toFixed(3)}\n`,
  );
  for (const made of [few, join(folder, 'all'), join(folder, 'adapter')]) await rm(made, { recursive: true });
  const whole = await randomLlama(folder, Number(layers), text);
  const measured = await trained([text, '--from', whole, ...adapted, ...common], Number(mib), join(folder, 'whole'));
  tell(`LoRA beside ${layers} layers`, measured, Number(mib));
}

/** `npm run bench -- large`: seconds and processor seconds of each step, and the peak of memory. */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const {
    preset = 'gpt2-1.5b',
    mib = '1024',
    steps = '3',
    tokens = '512',
    accumulate = '1',
    offload = 'all',
  } = options;
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'meanfield-large-'));
  try {
    const text = join(folder, 'text.txt');
    // Enough for some windows, and few to validate: an evaluation is not what is measured.
    await writeFile(
      text,
      (await readFile(join(root, 'examples/tinyshakespeare.txt'))).subarray(0, 24 * Number(tokens)),
    );
    if (options.lora !== undefined) return await besideBase(folder, text, options);
    const measured = await trained(
      [
        ...[text, '--preset', preset, '--tokenizer', 'bytes', '--offload', offload, '--context', tokens],
        ...['--batch-size', '1', '--grad-accum', accumulate, '--steps', steps, '--lr', '3e-5', '--eval-every', steps],
      ],
      Number(mib),
      join(folder, 'run'),
    );
    tell(`${preset}, ${(measured.parameters / 1e6).toFixed(0)}M parameters`, measured, Number(mib));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
