/*
 * Vectors of sentences by transformers.js: one process.
 *
 * node transformers-vectors.mjs MODULE AROUND NAME '{"dtype":"fp32","threads":2,"rounds":3,"sentences":"FILE.json"}'
 *
 * AROUND/NAME is the model's folder, the file a list of texts. They are sorted by length and read 32 at a time, as
 * sentence-transformers does it: one call with all would fill each up to the longest. Prints {seconds: [...]}.
 */
import { readFileSync } from 'node:fs';

const [module, around, name, json] = process.argv.slice(2);
const { dtype, threads, rounds, sentences } = JSON.parse(json);
const { env, pipeline } = await import(module);
env.allowRemoteModels = false;
env.localModelPath = around;
const extract = await pipeline('feature-extraction', name, { dtype, session_options: { intraOpNumThreads: threads } });
const texts = JSON.parse(readFileSync(sentences, 'utf8')).sort((a, b) => b.length - a.length);
const seconds = [];
for (let round = 0; round <= rounds; round++) {
  const began = performance.now();
  for (let i = 0; i < texts.length; i += 32)
    await extract(texts.slice(i, i + 32), { pooling: 'mean', normalize: true });
  // What is met for the first time is no figure.
  if (round > 0) seconds.push((performance.now() - began) / 1000);
}
console.log(JSON.stringify({ seconds }));
