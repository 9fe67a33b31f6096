// Reads a corpus, makes tokenizers for it, and writes one down: node examples/data.js [FILE] [FOLDER]
import { mkdir, writeFile } from 'node:fs/promises';
import { loadTokenizer, readTexts, trainTokenizer } from 'meanfield/data';

const [corpus = 'examples/tinyshakespeare.txt', folder = 'runs/tokenizer'] = process.argv.slice(2);

for (const kind of /** @type {const} */ (['bytes', 'chars', 'bpe'])) {
  const tokenizer = await trainTokenizer(kind, readTexts([corpus]), { vocabularySize: 512 });
  let [bytes, tokens] = [0, 0];
  for await (const text of readTexts([corpus])) {
    bytes += Buffer.byteLength(text);
    tokens += tokenizer.encode(text).length;
  }
  console.log(`${kind}: ${tokenizer.vocabularySize} entries, ${(bytes / tokens).toFixed(2)} bytes a token`);
  await mkdir(`${folder}/${kind}`, { recursive: true });
  // An ordinary tokenizer.json, which Python and transformers.js read too.
  for (const [name, content] of Object.entries(tokenizer.files()))
    await writeFile(`${folder}/${kind}/${name}`, content);
}
const again = await loadTokenizer(`${folder}/bpe`);
console.log(again.decode(again.encode('to be')));
