import { describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { COMMAND_LINE, messageIn } from '../base/spelling.js';
import { Model } from './model.js';

const sizes = { layers: 3, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 11 };
const model = Model.create('gpt2', sizes);
const names = ({ entries }: Model['layout']) => entries.map(({ name }) => name);

describe('a model with frozen parameters', () => {
  it('has two layouts, that of the trained ones and that of the frozen ones, each as all parameters would lie', () => {
    const part = model.freeze(['wte.*,wpe.*', 'h.[0-1].*']);
    expect(names(part.layout)).toEqual(names(model.layout));
    expect(names(part.trained).every((name) => /\.(h\.2|ln_f)\./.test(name))).toBe(true);
    expect([...names(part.trained), ...names(part.frozen)].sort()).toEqual(names(model.layout).sort());
    expect(part.trained.size + part.frozen.size).toBe(model.layout.size);
    const order = (layout: Model['layout']) => names(model.layout).filter((name) => new Set(names(layout)).has(name));
    expect(names(part.trained)).toEqual(order(part.trained));
    expect(names(part.frozen)).toEqual(order(part.frozen));
    const matrices = part.trained.entries.filter(({ shape }) => shape.length > 1);
    expect(part.trained.decayed).toBe(matrices.reduce((sum, { size }) => sum + size, 0));
  });

  it('cuts the vector of all parameters, and joins it again to the bit', () => {
    const part = model.freeze(['*', '!h.1.mlp.*']);
    const all = model.layout.initialize(new Random(3));
    const { trained, frozen } = part.cut(all);
    expect([trained.length, frozen.length]).toEqual([part.trained.size, part.frozen.size]);
    expect(part.join(trained, frozen)).toEqual(all);
    expect(part.views(trained, frozen)).toEqual(model.layout.views(all));
  });

  it('is the model itself where nothing is frozen, and copies nothing', () => {
    expect(model.freeze([])).toBe(model);
    expect(model.trained).toBe(model.layout);
    expect(model.frozen.size).toBe(0);
    const all = model.layout.initialize(new Random(3));
    const { trained, frozen } = model.cut(all);
    expect(trained).toBe(all);
    expect(model.join(trained, frozen)).toBe(all);
  });

  it('takes back by later patterns what earlier ones freeze', () => {
    expect(names(model.freeze(['*, !h.2.*, !ln_f.*']).trained).some((name) => name.includes('h.1'))).toBe(false);
    expect(names(model.freeze(['*', '!h.2.*', 'h.2.ln_*']).trained)).toHaveLength(8);
  });

  it('freezes a tied head with its embeddings, and another by itself', () => {
    const llama = Model.create('llama', sizes);
    expect(names(llama.freeze(['lm_head.*']).frozen)).toEqual(['lm_head.weight']);
    const tied = Model.fromConfig({ ...(llama.config as object), tie_word_embeddings: true });
    expect(names(tied.freeze(['embed_tokens.*']).frozen)).toEqual(['model.embed_tokens.weight']);
    expect(() => tied.freeze(['lm_head.*'])).toThrow('The head is model.embed_tokens.weight.');
  });

  it('says which parameters there are where a pattern fits none', () => {
    const freeze = () => model.freeze(['wte.*', 'layers.0.*']);
    expect(freeze).toThrow(UsageError);
    expect(freeze).toThrow("`freeze: 'layers.0.*'` fits none of the model's parameters.");
    expect(freeze).toThrow(
      'There are transformer.wte.*, transformer.wpe.*, transformer.h.*.ln_1.*, transformer.h.*.attn.c_attn.*,',
    );
    expect(() => model.freeze(['wte.*,'])).toThrow("`freeze: ''` fits none");
    expect(() => model.freeze(['!wte.*', 'h.0.*'])).toThrow(
      "`freeze: '!wte.*'` takes back what no pattern before it freezes (transformer.wte.*).",
    );
  });

  it('says so where nothing is left to train, and what to take back', () => {
    let message = '';
    try {
      model.freeze(['*']);
    } catch (error) {
      message = messageIn(COMMAND_LINE, error as Error);
    }
    expect(message).toMatch(/^--freeze \* freezes all 40 parameters of the model \(transformer\.wte\.\*, .*\): /);
    expect(message).toMatch(/nothing is left to train\. Take some back, as !h\.2\.\* after it does\.$/);
  });
});
