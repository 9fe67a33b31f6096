/*
 * How fast llama.cpp reads a prompt and writes after it, by node-llama-cpp: one process a measurement, greedy.
 *
 * node llama-generate.mjs MODULE FILE.gguf --prompt N --tokens N --threads N
 *
 * Prints {prompt_per_second, tokens_per_second, cpu_ms_a_token}.
 */
const [module, file, ...rest] = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = rest.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(rest[at + 1]);
};
const [prompt, tokens, threads] = [option('prompt', 1024), option('tokens', 128), option('threads', 1)];

const { getLlama, LlamaLogLevel } = await import(module);
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
  contextSize: prompt + tokens + 16,
  batchSize: 512,
  threads: { ideal: threads, min: threads },
  // Faster than without at these lengths.
  flashAttention: true,
});
const sequence = context.getSequence();
const ids = Array.from({ length: prompt }, (_, i) => 1000 + ((i * 7919) % 20000));

async function write(count) {
  let written = 0;
  for await (const _ of sequence.evaluate([1], { temperature: 0 })) if (++written === count) break;
}

// What is met for the first time is no figure.
await sequence.evaluateWithoutGeneratingNewTokens(ids);
await sequence.clearHistory();
let start = performance.now();
await sequence.evaluateWithoutGeneratingNewTokens(ids);
const prompt_per_second = (1000 * prompt) / (performance.now() - start);
await sequence.clearHistory();
await write(8);
start = performance.now();
const before = process.cpuUsage();
await write(tokens);
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    prompt_per_second,
    tokens_per_second: (1000 * tokens) / (performance.now() - start),
    cpu_ms_a_token: (user + system) / 1000 / tokens,
  }),
);
await llama.dispose();
