// Compares tokenizers made from your own text: node examples/tokenizer.js [FILE] [FOLDER] [STEPS]
// Losses a token cannot be compared between tokenizers; bits a byte can.
import { readFile } from 'node:fs/promises';
import { load, train } from 'meanfield';

const [corpus = 'examples/tinyshakespeare.txt', folder = 'runs/tokenizers', steps = '200'] = process.argv.slice(2);

const settings = /** @type {const} */ ([
  { tokenizer: 'bytes' },
  { tokenizer: 'chars' },
  { tokenizer: 'bpe', vocab: 512 },
]);
for (const setting of settings) {
  const run = `${folder}/${setting.tokenizer}`;
  await train({ corpus: [corpus], run, preset: 'nano', steps: Number(steps), ...setting }).result;
  // An ordinary tokenizer.json, which Python and transformers.js read too.
  const { model: entries } = JSON.parse(await readFile(`${run}/model/tokenizer.json`, 'utf8'));
  const model = await load(run);
  const { bitsPerByte, tokens, bytes } = await model.evaluate([corpus]);
  await model.close();
  const size = Object.keys(entries.vocab).length;
  console.log(
    `${setting.tokenizer}: ${size} entries, ${(bytes / tokens).toFixed(2)} bytes a token, ${bitsPerByte.toFixed(3)} bits a byte`,
  );
}
