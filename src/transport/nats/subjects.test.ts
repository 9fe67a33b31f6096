import { expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { addressOf, controlSubject, keySubject, subjectsOf } from './subjects.js';

test('addresses are subjects and come back', () => {
  const addresses = [
    [{ to: 'up', worker: 'w-1' }, 'mf.r.up.w-1'],
    [{ to: 'down', worker: 'w_2' }, 'mf.r.down.w_2'],
    [{ to: 'all' }, 'mf.r.all'],
    [{ to: 'ask', what: 'join' }, 'mf.r.ask.join'],
  ] as const;
  for (const [address, subject] of addresses) {
    expect(controlSubject('r', address)).toBe(subject);
    expect(addressOf('r', subject)).toEqual(address);
  }
  expect(controlSubject('r', { to: 'up', worker: '*' })).toBe('mf.r.up.*');
});

test('subjects of others are none of ours', () => {
  for (const subject of ['mf.other.all', 'mf.r', 'mf.r.up', 'mf.r.up.a.b', 'mf.r.all.x', 'x.r.all', 'mf.r.b.w.0', '']) {
    expect(addressOf('r', subject)).toBeUndefined();
  }
});

test('no name can reach beyond its place', () => {
  for (const name of ['', '>', 'a.b', 'a b', 'é', '*', 'x'.repeat(129)]) {
    expect(() => subjectsOf(name)).toThrow(UsageError);
    expect(() => keySubject(`a/${name}`)).toThrow(/cannot stand/);
    if (name !== '*') expect(() => controlSubject('r', { to: 'up', worker: name })).toThrow(/cannot stand/);
    expect(() => controlSubject('r', { to: 'ask', what: name })).toThrow(/cannot stand/);
  }
});

test('keys are subjects, segment by segment', () => {
  expect(keySubject('w1/12/0/3')).toBe('w1.12.0.3');
  expect(subjectsOf('r')).toMatchObject({ runStream: 'mf-r', stateStream: 'KV_mf-r', api: '$JS.API' });
  expect(subjectsOf('r', 'isolated').api).toBe('mf.r.api');
});
