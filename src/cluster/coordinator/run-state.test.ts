import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { Play } from './coordinator.test-support.js';
import { decodeState, encodeState, parseState } from './run-state.js';

function inTraining() {
  const play = new Play();
  play.join('a');
  play.join('b');
  play.contribute('a');
  return play.state;
}

it('comes back as it was stored, in the middle of a round', () => {
  const state = inTraining();
  expect(decodeState(encodeState(state), 'here')).toEqual(state);
  expect(parseState(JSON.parse(JSON.stringify(state)), 'here')).toEqual(state);
});

it('reads what was stored before contributions were kept for audits', () => {
  const { last: _last, ...json } = JSON.parse(JSON.stringify(inTraining()));
  expect(parseState(json, 'x').last).toBeNull();
  const { approvals: _approvals, serial: _serial, ...older } = json;
  expect(parseState(older, 'x')).toMatchObject({ approvals: [], serial: 0 });
});

it('refuses what is no state, and a state that cannot be', () => {
  const json = JSON.parse(JSON.stringify(inTraining()));
  expect(() => parseState({ ...json, version: 2 }, 'state.json')).toThrow('state.json is not the state of a run');
  expect(() => parseState({ ...json, rounds: { ...json.rounds, open: null } }, 'x')).toThrow('a round is open');
  expect(() => parseState({ ...json, ledger: { ...json.ledger, next: 3 } }, 'x')).toThrow(MeanfieldError);
  expect(() => parseState({ ...json, approvals: [{ id: 'x' }] }, 'x')).toThrow(MeanfieldError);
  expect(() => parseState({ ...json, serial: -1 }, 'x')).toThrow(MeanfieldError);
  expect(() => decodeState(new Uint8Array(0), 'the message system')).toThrow('in the message system');
  const keys = Object.keys(json);
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
      if (['hosts', 'retired', 'next', 'opening', 'last', 'approvals', 'serial'].includes(key)) return;
      expect(() => parseState({ ...json, [key]: value }, 'x')).toThrow(MeanfieldError);
    }),
    { numRuns: 100 },
  );
});
