/*
 * llama.cpp as one would serve with it, by node-llama-cpp: one process, greedy.
 *
 * node llama-serve.mjs MODULE FILE.gguf '{"threads":2,"rounds":3,"prompt":128,"tokens":128,"long":1024,"streams":16}'
 *
 * Prints {start, one, many, first}: seconds from the process's start to a first token, tokens a second of one text and of
 * many together (each a sequence of one context), prompts included, and seconds to the first token after a long prompt.
 */
const [module, file, json] = process.argv.slice(2);
const { threads, rounds, prompt, tokens, long, streams } = JSON.parse(json);

const { getLlama, LlamaLogLevel } = await import(module);
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: file });
const contextOf = (contextSize, sequences) =>
  model.createContext({
    ...{ contextSize, sequences, batchSize: 512, flashAttention: true },
    threads: { ideal: threads, min: threads },
  });
const idsOf = (length, seed) => Array.from({ length }, (_, i) => 1000 + ((i * 7919 + seed * 104_729) % 20_000));

async function write(sequence, ids, count) {
  let written = 0;
  for await (const _ of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) if (++written === count) break;
  if (written !== count) throw new Error(`wrote ${written} of ${count} tokens`);
}
async function seconds(work) {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const alone = await contextOf(Math.max(long, prompt + tokens) + 16, 1);
const sequence = alone.getSequence();
await write(sequence, idsOf(8, 0), 1);
const start = performance.now() / 1000;
const [one, first] = [[], []];
for (let round = 1; round <= rounds; round++) {
  await sequence.clearHistory();
  one.push(tokens / (await seconds(() => write(sequence, idsOf(prompt, round), tokens))));
  await sequence.clearHistory();
  first.push(await seconds(() => write(sequence, idsOf(long, round), 1)));
}
await alone.dispose();
const together = await contextOf(prompt + tokens + 16, streams);
const sequences = Array.from({ length: streams }, () => together.getSequence());
const many = [];
for (let round = 1; round <= rounds; round++) {
  for (const each of sequences) await each.clearHistory();
  const texts = () => Promise.all(sequences.map((each, i) => write(each, idsOf(prompt, 100 * round + i), tokens)));
  many.push((streams * tokens) / (await seconds(texts)));
}
console.log(JSON.stringify({ start, one: median(one), many: median(many), first: median(first) }));
await llama.dispose();
