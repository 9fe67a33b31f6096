import { parseArgs } from './lib.js';
import { startRecord } from './record.js';

type Bench = (args: string[]) => Promise<unknown>;

/** Each on a machine that does nothing else: figures of a busy one say nothing. */
const benches: Record<string, { about: string; load: () => Promise<{ run: Bench }> }> = {
  gemm: { about: "this machine's best fp32 matrix product", load: () => import('./gemm.js') },
  train: { about: 'tokens per second and memory beside PyTorch and TensorFlow.js', load: () => import('./train.js') },
  quality: { about: "nanoGPT's CPU setting: loss after 2,000 steps, time to 1.88", load: () => import('./quality.js') },
  'int8-loss': {
    about: 'loss of products in 8 bits beside float32, over seeds',
    load: () => import('./int8-loss.js'),
  },
  replicas: { about: 'two replicas: speed and loss beside the joint batch', load: () => import('./replicas.js') },
  memory: { about: 'memory over 1,000 steps', load: () => import('./memory.js') },
  'memory-need': {
    about: 'memory that a run is expected to take beside its peak',
    load: () => import('./memory-need.js'),
  },
  large: {
    about: 'steps of a model larger than memory, under a limit; needs 28 bytes of disk a parameter',
    load: () => import('./large.js'),
  },
  bpe: { about: 'training and encoding of BPE; needs a folder of text', load: () => import('./bpe.js') },
  finetune: {
    about: 'a pretrained model trained further beside PyTorch and PEFT; needs SmolLM2-135M-Instruct',
    load: () => import('./finetune/index.js'),
  },
  generation: { about: 'tokens per second with a KV cache', load: () => import('./generation.js') },
  decoding: {
    about: 'tokens per second with weights in fewer bits beside llama.cpp; needs SmolLM2-135M-Instruct',
    load: () => import('./decoding.js'),
  },
  serve: {
    about: 'a server over HTTP beside llama.cpp, transformers.js and sentence-transformers; needs SmolLM2 and MiniLM',
    load: () => import('./serve/index.js'),
  },
  'serve-soak': {
    about: '1,000 clients at once, a third of which go away: answers, memory, waits',
    load: () => import('./serve-soak.js'),
  },
  cluster: {
    about: 'many machines: bytes, speed, quality, deaths; needs root and a folder of text',
    load: () => import('./cluster/index.js'),
  },
  schedules: {
    about: '100,000 random schedules of rounds: loss, delay, crashes, restarts',
    load: () => import('./cluster/schedules.js'),
  },
  'simulated-exchange': {
    about: 'one averaging among 10,000 simulated workers: its events, its bytes, its critical path',
    load: () => import('./simulated-exchange.js'),
  },
  linpack: { about: "HPL and HPL-MxP beside Debian's hpcc with OpenBLAS", load: () => import('./linpack.js') },
  plan: { about: 'the planner beside published measurements, and its constants', load: () => import('./plan.js') },
  'plan-this': {
    about: 'how long a train is planned to take on this machine beside how long it takes',
    load: () => import('./plan-this.js'),
  },
  scale: {
    about: 'a ladder of models, its law, and a run that it predicts; needs a folder of text',
    load: () => import('./scale.js'),
  },
  wasm: { about: 'a step in Chromium, in float32 and in 8 bits; needs Chromium', load: () => import('./wasm.js') },
  'wasm-writing': {
    about:
      'tokens a second in Chromium by the precision of weights, and the operators alone; needs Chromium and a model',
    load: () => import('./wasm-writing.js'),
  },
  startup: { about: 'time of --help, info and plan', load: () => import('./startup.js') },
};

/** `npm run bench -- NAME [options]`: one bench with its options, or several by name. */
async function main(args: string[]): Promise<void> {
  const names = args.filter((arg) => Object.hasOwn(benches, arg));
  const { rest } = parseArgs(args);
  const unknown = rest.find((arg) => names.length === 0 || (names.length > 1 && !names.includes(arg)));
  if (unknown || args.includes('--help')) {
    const list = Object.entries(benches).map(([name, { about }]) => `  ${name.padEnd(18)} ${about}`);
    console.log(`npm run bench -- NAME [options]\n\n${list.join('\n')}`);
    if (unknown) throw new Error(`there is no bench ${unknown}`);
    return;
  }
  for (const name of names.length > 0 ? names : Object.keys(benches)) {
    const own = names.length === 1 ? args.filter((arg) => arg !== name) : [];
    const record = startRecord(['npm run bench --', name, ...own].join(' '), benches[name]!.about);
    const { run } = await benches[name]!.load();
    await run(own);
    record.finish();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
