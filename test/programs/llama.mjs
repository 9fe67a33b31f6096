/*
 * What llama.cpp makes of GGUF files: node llama.mjs MODULE ASKED, where MODULE is node-llama-cpp's and ASKED a JSON file
 * with a list of `file`, `texts` and `ids`. Prints for each the tokens of each text, special ones as such, and the mean nats
 * of all of the ids but the first, each after those before it.
 */
import { readFile } from 'node:fs/promises';

const [, , module, asked] = process.argv;
const { getLlama, LlamaLogLevel } = await import(module);
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
const answers = [];
for (const { file, texts, ids } of JSON.parse(await readFile(asked, 'utf8'))) {
  const model = await llama.loadModel({ modelPath: file });
  const tokens = texts.map((text) => [...model.tokenize(text, true)]);
  const context = await model.createContext({ contextSize: Math.max(64, ids.length), flashAttention: false });
  // Else what sampling leaves out is missing from the sum.
  const options = { temperature: 1, topK: 0, topP: 1, minP: 0 };
  const results = await context.getSequence().controlledEvaluate(
    ids.slice(0, -1).map((id, i) => {
      const logits = { filter: { tokens: [ids[i + 1]], includeTop: 1 } };
      return [id, { generateNext: { logits, totalLogitWeight: true, options } }];
    }),
  );
  const nats = results.map(({ next }, i) => {
    const most = Math.max(...next.logits.values());
    return Math.log(next.totalLogitWeight) + most - next.logits.get(ids[i + 1]);
  });
  answers.push({ tokens, loss: nats.reduce((sum, each) => sum + each, 0) / nats.length });
  await context.dispose();
  await model.dispose();
}
console.log(JSON.stringify(answers));
await llama.dispose();
