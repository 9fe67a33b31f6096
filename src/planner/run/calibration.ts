import { UsageError } from '../../base/errors.js';
import { isJsonObject, type JsonValue } from '../../base/json.js';
import { type Constants, shippedConstants } from '../catalogue/constants.js';
import { type ErrorPoint, pointsJson, readPoints } from './interval.js';

/**
 * What a user's own measurements say of their stack.
 *
 * @category Planning a machine
 */
export interface Calibration {
  /** Share of the roofline reached by framework and accelerator, `NAME @ ACCELERATOR`. */
  readonly efficiency: Readonly<Record<string, number>>;
  /** Measured over predicted speed of each row, with the efficiency fitted to the other rows. */
  readonly points: readonly ErrorPoint[];
}

/** A file's mark: what it is and which form it has. */
const FORMAT = 'meanfield-calibration-1';

/** A laptop's kernels reach less of its datasheet than a data centre's, and a stack may reach next to nothing. */
export const EFFICIENCIES = [0.01, 2] as const;

/** From so many rows on their own errors say more of a stack than those of others do. */
export const OWN_INTERVAL = 5;

/** Constants with a user's efficiencies in the place of those that were shipped. */
export function calibrated(calibration: Calibration | undefined, constants: Constants = shippedConstants): Constants {
  if (calibration === undefined) return constants;
  const { fitted, ...others } = constants.efficiency;
  return { ...constants, efficiency: { ...others, fitted: { ...fitted, ...calibration.efficiency } } };
}

/** A calibration as its file holds it. */
export function calibrationJson({ efficiency, points }: Calibration): JsonValue {
  return { format: FORMAT, efficiency: { ...efficiency }, points: { ...pointsJson(points) } };
}

/** @throws UsageError when a file is no calibration, or a figure in it cannot be */
export function readCalibration(json: JsonValue, name: string): Calibration {
  const wrong = (what: string): UsageError =>
    new UsageError(`${name}: expected ${what}. \`meanfield plan calibrate ROWS.csv --to FILE\` writes such a file.`);
  if (!isJsonObject(json) || json.format !== FORMAT) throw wrong(`a calibration with "format": "${FORMAT}"`);
  const { efficiency, points } = json;
  if (efficiency === undefined || !isJsonObject(efficiency)) throw wrong('"efficiency" to be an object');
  for (const [pair, value] of Object.entries(efficiency)) {
    if (typeof value !== 'number' || !(value >= EFFICIENCIES[0] && value <= EFFICIENCIES[1])) {
      throw wrong(
        `the efficiency of ${JSON.stringify(pair.slice(0, 64))} to be a number from ${EFFICIENCIES.join(' to ')}`,
      );
    }
  }
  const read = readPoints(points);
  if (read === undefined) throw wrong('"points" to have "sources" and "rows" of six numbers');
  return { efficiency: efficiency as Record<string, number>, points: read };
}
