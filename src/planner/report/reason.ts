import { thousands } from '../../base/thousands.js';
import { devices } from '../search/grids.js';
import type { Candidate } from '../search/types.js';
import type { StepTime } from '../types.js';
import { percent, time } from './units.js';

type Part = Exclude<keyof StepTime, 'total'>;

/** Shares of the lost time below this are not worth a word. */
const NOTABLE = 0.2;

const SAID: Readonly<Record<Part, (seconds: number, share: number) => string>> = {
  matrices: (seconds) => `matrix products take ${time(seconds)} longer`,
  memoryBound: (seconds) => `passes over memory take ${time(seconds)} longer`,
  recompute: (seconds) => `recomputes for ${time(seconds)} more`,
  tensorCommunication: (seconds) => `tensor communication exposed for ${time(seconds)} more`,
  pipelineCommunication: (seconds) => `waits ${time(seconds)} more between stages`,
  pipelineBubble: (_, share) => `pipeline bubble ${percent(share)} of the step`,
  dataCommunication: (seconds) => `gradient communication exposed for ${time(seconds)} more`,
  optimizer: (seconds) => `the optimiser takes ${time(seconds)} longer`,
  offload: (seconds) => `waits ${time(seconds)} for offloaded state`,
};

/** Why an arrangement loses against the winner, in a few words with figures. */
export function reasonLost(loser: Candidate, winner: Candidate | null): string {
  const { memory, time: spent, fits } = loser.prediction;
  if (!fits) {
    const over = memory.total - memory.available;
    return over > 0
      ? `does not fit by ${gigabytes(over)}: ${gigabytes(memory.total)} of ${gigabytes(memory.available)}`
      : `does not fit: ${gigabytes(memory.host)} on the host of a node`;
  }
  if (winner === null) return '';
  const lost = spent.total - winner.prediction.time.total;
  if (lost <= 0) return 'as fast';
  const idle = devices(winner.arrangement) - devices(loser.arrangement);
  const parts = (Object.keys(SAID) as Part[])
    .map((part) => ({ part, seconds: spent[part] - winner.prediction.time[part] }))
    .filter(({ seconds }) => seconds > NOTABLE * lost)
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, 2)
    .map(({ part, seconds }) => SAID[part](seconds, spent[part] / spent.total));
  if (idle > 0 && devices(loser.arrangement) < 0.95 * devices(winner.arrangement)) {
    const used = devices(loser.arrangement);
    const noun = used === 1 ? 'device' : 'devices';
    parts.unshift(`uses ${thousands(used)} ${noun} instead of ${thousands(devices(winner.arrangement))}`);
  }
  return parts.slice(0, 2).join('; ');
}

function gigabytes(bytes: number): string {
  const value = bytes / 1e9;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} GB`;
}
