import { describe, expect, it } from 'vitest';
import { gpt3 } from '../step/step.test-support.js';
import { Fields } from './fields.js';
import { cellsOf } from './rows.test-support.js';
import { tokensOf } from './tokens.js';

describe('tokensOf', () => {
  it('are the printed ones, 20 a parameter, or BERT’s recipe', () => {
    expect(tokensOf(new Fields(cellsOf({ tokens_trained_B: '300' })), gpt3)).toBe(300e9);
    expect(tokensOf(new Fields(cellsOf()), gpt3)).toBe(20 * gpt3.parameters);
    expect(tokensOf(new Fields(cellsOf()), { ...gpt3, causal: false })).toBe(7037 * 65536 * 128 + 1562 * 32768 * 512);
  });
});
