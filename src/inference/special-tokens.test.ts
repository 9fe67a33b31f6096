import { describe, expect, it } from 'vitest';
import { BytesTokenizer, CharsTokenizer } from '../data/index.js';
import { specialTokens } from './special-tokens.js';

const bytes = new BytesTokenizer();

describe('specialTokens', () => {
  it('believes generation_config.json before config.json', () => {
    const config = { bos_token_id: 3, eos_token_id: 4 };
    expect(specialTokens(bytes, 256, config, { bos_token_id: 1, eos_token_id: [2, 5] })).toEqual({
      start: 1,
      end: new Set([2, 5, 4]),
    });
    expect(specialTokens(bytes, 256, config).start).toBe(3);
  });

  it('starts from a line feed where nothing is configured, and from token 0 where there is none', () => {
    expect(specialTokens(bytes, 256, {})).toEqual({ start: 10, end: new Set() });
    expect(specialTokens(new CharsTokenizer([97, 10, 98]), 3, {}).start).toBe(1);
    expect(specialTokens(new CharsTokenizer([97, 98]), 2, {}).start).toBe(0);
  });

  it.each([256, -1, 1.5, '7', null, {}])('overlooks the id %j', (id) => {
    const config = { bos_token_id: id, eos_token_id: [id, 9] };
    expect(specialTokens(bytes, 256, config)).toEqual({ start: 10, end: new Set([9]) });
  });
});
