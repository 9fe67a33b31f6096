/*
 * How fast llama.cpp reads a prompt and writes after it, by node-llama-cpp: one process a measurement, greedy.
 *
 * node llama-generate.mjs MODULE FILE.gguf --prompt N --tokens N --threads N --flash 0|1
 *
 * Prints {prompt_per_second, tokens_per_second, cpu_ms_a_token, system}, the best of three for each.
 */
const [module, file, ...rest] = process.argv.slice(2);
const option = (name, otherwise) => Number(rest[rest.indexOf(`--${name}`) + 1] ?? otherwise);
const [prompt, tokens, threads, flash] = [
  option('prompt', 1024),
  option('tokens', 128),
  option('threads', 1),
  option('flash', 0),
];

const { getLlama, LlamaLogLevel } = await import(module);
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
  contextSize: prompt + tokens + 16,
  batchSize: 512,
  threads: { ideal: threads, min: threads },
  flashAttention: flash === 1,
});
const sequence = context.getSequence();
const ids = Array.from({ length: prompt }, (_, i) => 1000 + ((i * 7919) % 20000));

/** @returns seconds, and milliseconds of all threads */
async function timed(work) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1000 };
}

async function write(count) {
  let written = 0;
  for await (const _ of sequence.evaluate([1], { temperature: 0 })) if (++written === count) break;
}

let [best, fastest, least] = [0, 0, Number.POSITIVE_INFINITY];
for (let round = 0; round < 3; round++) {
  await sequence.clearHistory();
  const read = await timed(() => sequence.evaluateWithoutGeneratingNewTokens(ids));
  best = Math.max(best, prompt / read.seconds);
  await sequence.clearHistory();
  await write(8);
  const written = await timed(() => write(tokens));
  fastest = Math.max(fastest, tokens / written.seconds);
  least = Math.min(least, written.cpu / tokens);
}
console.log(
  JSON.stringify({
    prompt_per_second: best,
    tokens_per_second: fastest,
    cpu_ms_a_token: least,
    system: llama.systemInfo,
  }),
);
await llama.dispose();
