import { describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { resolveOptions } from './options.js';

describe('resolveOptions', () => {
  it('fills in defaults', () => {
    expect(resolveOptions({ maxTokens: 3 })).toEqual({
      prompt: '',
      maxTokens: 3,
      temperature: 0.8,
      topK: 200,
      topP: 1,
      seed: 1337,
      stop: [],
      stopAtEnd: true,
    });
  });

  it('takes one text to stop at or several', () => {
    expect(resolveOptions({ stop: '\n\n' }).stop).toEqual(['\n\n']);
    expect(resolveOptions({ stop: ['a', 'b'] }).stop).toEqual(['a', 'b']);
  });

  it.each([
    [{ temperature: -1 }, '`temperature`'],
    [{ temperature: Number.NaN }, '`temperature`'],
    [{ topP: 0 }, '`topP`'],
    [{ topP: 1.1 }, '`topP`'],
    [{ topK: 1.5 }, '`topK`'],
    [{ maxTokens: -1 }, '`maxTokens`'],
    [{ seed: 2 ** 60 }, '`seed`'],
    [{ beams: 4 } as object, 'beams'],
    [{ stop: '' }, '`stop` Too small: expected string to have >=1 characters, got ""'],
    [{ stop: ['a', ''] }, '`stop` Too small: expected string to have >=1 characters, got ""'],
    [{ stop: 7 as never }, '`stop`'],
    [{ signal: {} as AbortSignal }, '`signal` expected an AbortSignal'],
    ['Once' as unknown as object, 'Write generate({ prompt: … })'],
    [null as unknown as object, 'expected object, received null'],
  ])('refuses %j by name', (options, name) => {
    expect(() => resolveOptions(options)).toThrow(UsageError);
    expect(() => resolveOptions(options)).toThrow(name);
  });
});
