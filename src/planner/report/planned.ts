import type { BandwidthRange } from '../averaging/index.js';
import type { Largest } from '../run/largest-model.js';
import type { Plan } from '../run/plan.js';

/** A plan and what is told beside it. */
export interface Planned {
  readonly plan: Plan;
  /** Where averaging comes to the same loss sooner; `null`: nowhere, or it cannot be compared. */
  readonly averagingWins: BandwidthRange | null;
  /** Where no model was named: the largest within the limits. */
  readonly largest: Largest | null;
}
