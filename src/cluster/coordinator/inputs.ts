import type { Contribute, Report } from '../../rounds/index.js';
import { isTooLong } from '../protocol/manifest.js';
import type { UpMessage } from '../protocol/up.js';
import { ownerOf } from '../protocol/wire.js';
import type { RunInput } from './step-run.js';

/** A message that is for the run's state, and not for a merge. */
export type StateMessage = Exclude<UpMessage, { type: 'reduced' | 'reduce-failed' }>;

/**
 * What a worker's message is to the run.
 *
 * @param partsOf how many parts a contribution to a round has
 * @returns a sentence that says why it is nothing
 */
export function inputOf(message: StateMessage, partsOf: (round: number) => number): RunInput | string {
  switch (message.type) {
    case 'contribution': {
      const { manifest, loss, gradientNorm: _norm, uploadSeconds: _upload, traffic: _traffic, ...rest } = message;
      if (ownerOf(manifest) !== message.worker)
        return `its parts lie at ${manifest.key}, which is not ${message.worker}'s`;
      if (isTooLong(manifest, partsOf(message.round)))
        return `its list of parts has ${manifest.bytes} bytes, too many for ${partsOf(message.round)} parts`;
      const event: Contribute = { ...rest, contentHash: manifest.hash };
      return { type: 'contribution', event, manifest, loss };
    }
    case 'heartbeat': {
      const { traffic: _traffic, ...event } = message;
      return { type: 'event', event };
    }
    case 'report': {
      const { gatherSeconds: _gather, ...event }: Report & { gatherSeconds: number } = message;
      return { type: 'event', event };
    }
    default:
      return { type: 'event', event: message };
  }
}

/** Whose message it was that became this; null: the driver's own. */
export function senderOfInput(input: RunInput): string | null {
  if (input.type === 'contribution') return input.event.worker;
  return input.type === 'event' && 'incarnation' in input.event ? input.event.worker : null;
}
