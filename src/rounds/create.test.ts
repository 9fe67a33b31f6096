import { describe, expect, it } from 'vitest';
import { createRounds, machineOptions, threadOptions } from './create.js';
import type { RoundOptions } from './types.js';

const start = (options: RoundOptions, hash = 'h') => ({
  run: 'run',
  layout: { hash: 'layout', length: 1 },
  options,
  committed: { round: 7, hash },
  now: 5,
});

describe('createRounds', () => {
  it('starts from the committed round, with nobody', () => {
    const state = createRounds(start(threadOptions(2, 25)));
    expect(state).toMatchObject({ phase: 'gathering', round: 7, since: 5, steps: 25, workers: [], open: null });
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it.each([
    ['quorum', 0, 'a share above 0 and up to 1; got 0'],
    ['quorum', Number.NaN, 'a share above 0 and up to 1; got NaN'],
    ['grace', Number.POSITIVE_INFINITY, 'milliseconds from 0, or null to wait for all; got Infinity'],
    ['heartbeatTimeout', 0, 'milliseconds above 0, or null for never; got 0'],
    ['roundTimeout', -1, 'milliseconds above 0, or null for never; got -1'],
    ['outlierFactor', 1, 'a factor above 1, or null; got 1'],
    ['minimumMembers', 0, 'a whole number from 1; got 0'],
    ['steps', 2.5, 'a whole number from 1; got 2.5'],
  ] as const)('refuses %s of %s', (name, value, message) => {
    const options = { ...machineOptions({ steps: 10 }), [name]: value };
    expect(() => createRounds(start(options))).toThrow(`Rounds: ${name} must be ${message}.`);
  });

  it('refuses to start without parameters of its own', () => {
    expect(() => createRounds(start(threadOptions(1, 1), ''))).toThrow('Store the initial parameters first');
  });
});
