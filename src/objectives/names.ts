/**
 * What can be learned, as `--objective` names it.
 *
 * @category Training
 */
export type ObjectiveName = 'causal' | 'masked';

/** All {@link ObjectiveName}s. */
export const OBJECTIVES: readonly ObjectiveName[] = ['causal', 'masked'];
