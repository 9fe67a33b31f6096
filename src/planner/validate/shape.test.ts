import { describe, expect, it } from 'vitest';
import { Fields } from './fields.js';
import { cellsOf } from './rows.test-support.js';
import { workloadOf } from './shape.js';

const read = (change: Readonly<Record<string, string>>) => {
  const fields = new Fields(cellsOf(change));
  return { workload: workloadOf(fields, 2048), assumptions: fields.assumptions };
};

describe('workloadOf', () => {
  it('knows mixtures of experts by name, whole ones', () => {
    const mixtral = read({ model: 'Mixtral 8x7B (MoE)', layers: '32', hidden: '4096' }).workload!;
    expect(mixtral).toMatchObject({ experts: { count: 8, active: 2 }, parameters: 46_702_792_704 });
    expect(read({ model: 'DeepSeek-V3', layers: '' }).workload).toMatchObject({ latent: { keyValue: 512 } });
    expect(read({ model: 'DeepSeek-V3', layers: '8' }).workload!.experts).toBeUndefined();
  });

  it('takes what is printed', () => {
    const { workload, assumptions } = read({});
    expect(workload).toMatchObject({
      layers: 42,
      hidden: 4096,
      heads: 32,
      headSize: 128,
      tiedHead: true,
      causal: true,
    });
    expect(workload!.parameters / 8.67e9).toBeCloseTo(1, 2);
    expect(assumptions).toEqual([]);
  });

  it('knows gated families by name: Llama 3 70B has 70.6 billion parameters', () => {
    const { workload } = read({
      model: 'LLAMA3_70B',
      layers: '80',
      hidden: '8192',
      heads: '64',
      kv_heads: '8',
      ffn: '28672',
      vocab: '128256',
    });
    expect(workload!.parameters).toBe(70_553_706_496);
  });

  it('assumes a shape from the parameters: GPT-3’s for 175 billion', () => {
    const { workload, assumptions } = read({ params_B: '175', layers: '', hidden: '', heads: '', ffn: '', vocab: '' });
    expect(workload!.layers).toBe(96);
    expect(workload!.hidden).toBeCloseTo(12288, -3);
    expect(workload!.parameters / 175e9).toBeCloseTo(1, 1);
    expect(assumptions.map((text) => text.split(' ')[0])).toEqual(['layers', 'hidden', 'heads', 'ffn', 'vocab']);
  });

  it('assumes one of layers and width from the other', () => {
    expect(read({ params_B: '175', layers: '96', hidden: '', heads: '' }).workload!.hidden).toBe(12288);
    expect(read({ params_B: '174', layers: '', hidden: '12288', heads: '' }).workload!.layers).toBe(96);
    expect(read({ params_B: '', layers: '', hidden: '12288', heads: '' }).workload!.layers).toBe(96);
    expect(read({ params_B: '', layers: '96', hidden: '', heads: '' }).workload!.hidden).toBe(12288);
  });

  it('knows that BERT sees both ways, and that MPT has no biases', () => {
    expect(read({ model: 'BERT-Large' }).workload!.causal).toBe(false);
    expect(read({ model: 'MPT-7b' }).workload!.biases).toBe(false);
  });

  it('passes over impossible sizes, and gives up where nothing is known', () => {
    expect(read({ params_B: '', layers: '1e300', hidden: '-5' }).workload).toBeUndefined();
    expect(read({ params_B: '1e300', layers: '', hidden: '' }).workload).toBeUndefined();
    expect(read({ heads: '1e9' }).workload!.heads).toBe(32);
  });
});
