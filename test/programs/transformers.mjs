// Runs a folder in transformers.js, without a network, and prints as JSON what comes of it. Arguments: the module's path, the
// folder around the model's, the model's name, and the task as JSON.
const [module, around, name, json] = process.argv.slice(2);
const { AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, env, pipeline, Tensor } = await import(module);
env.allowRemoteModels = false;
env.localModelPath = around;
const { kind, dtype, texts = [], rows = [], tokens = 0 } = JSON.parse(json);
const options = dtype ? { dtype } : {};

const int64 = (all) => new Tensor('int64', BigInt64Array.from(all.flat(), BigInt), [all.length, all[0].length]);

/** Rows of ids, filled up on the left. */
function filledUp() {
  const length = Math.max(...rows.map((row) => row.length));
  const fill = (row, one) => [...Array(length - row.length).fill(0), ...row.map(one)];
  return {
    input_ids: int64(rows.map((row) => fill(row, (id) => id))),
    attention_mask: int64(rows.map((row) => fill(row, () => 1))),
  };
}

/** The mean loss of all tokens of a row but the first. */
function lossOf({ data, dims: [, , V] }, ids) {
  let sum = 0;
  for (let t = 0; t + 1 < ids.length; t++) {
    const row = data.subarray(t * V, (t + 1) * V);
    const most = row.reduce((a, b) => Math.max(a, b));
    sum += most + Math.log(row.reduce((all, x) => all + Math.exp(x - most), 0)) - row[ids[t + 1]];
  }
  return sum / (ids.length - 1);
}

const tasks = {
  ids: async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(name);
    return texts.map((text) => Array.from(tokenizer(text).input_ids.data, Number));
  },
  generate: async () => {
    const model = await AutoModelForCausalLM.from_pretrained(name, options);
    const given = filledUp();
    const { logits } = await model(given);
    const V = logits.dims[2];
    const made = await model.generate({ ...given, max_new_tokens: tokens, min_new_tokens: tokens, do_sample: false });
    return {
      logits: rows.map((_, b) =>
        Array.from(logits.data.slice(((b + 1) * logits.dims[1] - 1) * V, (b + 1) * logits.dims[1] * V)),
      ),
      tokens: made.tolist().map((row) => row.slice(-tokens).map(Number)),
    };
  },
  loss: async () => {
    const model = await AutoModelForCausalLM.from_pretrained(name, options);
    const { logits } = await model(filledUp());
    return lossOf(logits, rows[0]);
  },
  chat: async () => {
    const generator = await pipeline('text-generation', name, options);
    const [{ generated_text }] = await generator([{ role: 'user', content: texts[0] }], {
      max_new_tokens: tokens,
      do_sample: false,
    });
    return generated_text.at(-1).content;
  },
  // Of each row alone; of all together, filled up on the left; and by the pipeline, of texts.
  seq2seq: async () => {
    const model = await AutoModelForSeq2SeqLM.from_pretrained(name, options);
    const written = async (given) => {
      const made = await model.generate({ ...given, max_new_tokens: tokens, do_sample: false });
      return made.tolist().map((row) => row.slice(1).map(Number));
    };
    const alone = [];
    for (const row of rows) {
      const ids = int64([row]);
      alone.push((await written({ input_ids: ids, attention_mask: int64([row.map(() => 1)]) }))[0]);
    }
    return { alone, together: await written(filledUp()) };
  },
  text2text: async () => {
    const write = await pipeline('text2text-generation', name, options);
    const made = [];
    for (const text of texts) made.push((await write(text, { max_new_tokens: tokens }))[0].generated_text);
    return made;
  },
  embed: async () => {
    const extract = await pipeline('feature-extraction', name, options);
    return (await extract(texts, { pooling: 'mean', normalize: true })).tolist();
  },
};
console.log(JSON.stringify(await tasks[kind]()));
