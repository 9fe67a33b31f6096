/*
 * transformers.js, greedy: one process. Its many texts are one batch, which is how it writes several.
 *
 * node transformers-serve.mjs MODULE AROUND NAME '{"dtype":"q8","threads":2,"rounds":3,"prompt":128,"tokens":128,"long":1024,"streams":16}'
 *
 * AROUND/NAME is the model's folder. Prints {start, one, many, first} as llama-serve.mjs does.
 */
const [module, around, name, json] = process.argv.slice(2);
const { dtype, threads, rounds, prompt, tokens, long, streams } = JSON.parse(json);
const { AutoModelForCausalLM, env, Tensor } = await import(module);
env.allowRemoteModels = false;
env.localModelPath = around;
const model = await AutoModelForCausalLM.from_pretrained(name, {
  dtype,
  session_options: { intraOpNumThreads: threads },
});

async function write(seeds, length, count) {
  const ids = seeds.flatMap((seed) => Array.from({ length }, (_, i) => 1000 + ((i * 7919 + seed * 104_729) % 20_000)));
  const dims = [seeds.length, length];
  const made = await model.generate({
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), dims),
    attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), dims),
    ...{ max_new_tokens: count, min_new_tokens: count, do_sample: false },
  });
  if (made.dims[1] !== length + count) throw new Error(`wrote ${made.dims[1] - length} of ${count} tokens`);
}
async function seconds(work) {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

await write([0], 8, 1);
const start = performance.now() / 1000;
const [one, many, first] = [[], [], []];
for (let round = 1; round <= rounds; round++) {
  one.push(tokens / (await seconds(() => write([round], prompt, tokens))));
  const seeds = Array.from({ length: streams }, (_, i) => 100 * round + i);
  many.push((streams * tokens) / (await seconds(() => write(seeds, prompt, tokens))));
  first.push(await seconds(() => write([round], long, 1)));
}
console.log(JSON.stringify({ start, one: median(one), many: median(many), first: median(first) }));
