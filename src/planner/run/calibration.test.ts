import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../base/json.js';
import { readCalibration } from './calibration.js';

describe('a calibration that was read', () => {
  it.each<[JsonValue, RegExp]>([
    [null, /expected a calibration/],
    [[], /expected a calibration/],
    [{ format: 'other' }, /expected a calibration/],
    [{ format: 'meanfield-calibration-1' }, /"efficiency" to be an object/],
    [{ format: 'meanfield-calibration-1', efficiency: { 'a @ b': '1' } }, /efficiency of "a @ b" to be a number/],
    [{ format: 'meanfield-calibration-1', efficiency: { 'a @ b': 1e9 } }, /to be a number from 0.01 to 2/],
    [{ format: 'meanfield-calibration-1', efficiency: {} }, /"points"/],
    [
      { format: 'meanfield-calibration-1', efficiency: {}, points: { sources: [], rows: [[0, 1, 1, 1, 1, 1]] } },
      /"points"/,
    ],
    [
      { format: 'meanfield-calibration-1', efficiency: {}, points: { sources: ['a'], rows: [[0, -1, 1, 1, 1, 1]] } },
      /"points"/,
    ],
  ])('refuses %j', (json, message) => {
    expect(() => readCalibration(json, 'file.json')).toThrow(message);
    expect(() => readCalibration(json, 'file.json')).toThrow(/^file\.json: .*plan calibrate/);
  });
});
