import { describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { resolveOptions } from './options.js';

describe('resolveOptions', () => {
  it('fills in defaults', () => {
    expect(resolveOptions({ maxTokens: 3, signal: new AbortController().signal })).toEqual({
      prompt: '',
      maxTokens: 3,
      temperature: 0.8,
      topK: 200,
      topP: 1,
      seed: 1337,
      stopAtEnd: true,
    });
  });

  it.each([
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: Number.NaN }, 'temperature'],
    [{ topP: 0 }, 'topP'],
    [{ topP: 1.1 }, 'topP'],
    [{ topK: 1.5 }, 'topK'],
    [{ maxTokens: -1 }, 'maxTokens'],
    [{ seed: 2 ** 60 }, 'seed'],
    [{ beams: 4 } as object, 'beams'],
  ])('refuses %j by name', (options, name) => {
    expect(() => resolveOptions(options)).toThrow(UsageError);
    expect(() => resolveOptions(options)).toThrow(name);
  });
});
