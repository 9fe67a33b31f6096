import { NodeEngine } from '../src/engine/node/engine.js';
import { encode, gemm, input } from '../src/graph/index.js';
import { median, parseArgs, peer, table } from './lib.js';

/** Sizes [M, K, N] that training meets, and squares. */
const sizes = [
  [768, 512, 128],
  [1024, 256, 1024],
  [1024, 768, 3072],
  [1024, 1024, 1024],
  [2048, 2048, 2048],
] as const;

/** GFLOP/s of one matrix product of float32 through ONNX Runtime: the best of several runs. */
export async function measureGemm(threads: number, [M, K, N]: readonly [number, number, number], seconds = 1) {
  const engine = new NodeEngine();
  const product = encode({ c: gemm(input('a', [M, K]), input('b', [K, N])) }, engine.target);
  const session = await engine.compile(product, { threads });
  const a = Float32Array.from({ length: M * K }, (_, i) => Math.sin(i));
  const b = Float32Array.from({ length: K * N }, (_, i) => Math.cos(i));
  const c = new Float32Array(M * N);
  const times: number[] = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end || times.length < 5; ) {
    const start = performance.now();
    await session.run({ a, b }, { c });
    times.push(performance.now() - start);
  }
  await session.dispose();
  const speed = (ms: number) => (2 * M * K * N) / ms / 1e6;
  return { best: speed(Math.min(...times)), median: speed(median(times)) };
}

/** The best matrix product of all sizes, in GFLOP/s: the limit that training is held against. */
export async function bestGemm(threads: number, seconds = 0.5): Promise<number> {
  let best = 0;
  for (const size of sizes) best = Math.max(best, (await measureGemm(threads, size, seconds)).best);
  return best;
}

export async function run(args: string[]): Promise<void> {
  const threads = Number(parseArgs(args).options.threads ?? 2);
  const rows: (string | number)[][] = [];
  for (const size of sizes) {
    const one = await measureGemm(1, size);
    const all = await measureGemm(threads, size);
    rows.push([
      size.join(' × '),
      one.best.toFixed(0),
      one.median.toFixed(0),
      all.best.toFixed(0),
      all.median.toFixed(0),
    ]);
  }
  table(['M × K × N', '1 thread, best', 'median', `${threads} threads, best`, 'median'], rows);
  const torch = await peer('torch_gemm.py', ['--threads', String(threads)]);
  console.log(torch.skipped ? `PyTorch: skipped (${torch.skipped})` : `PyTorch, best: ${torch.gflops} GFLOP/s`);
}
