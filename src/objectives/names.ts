/** What can be learned. */
export const OBJECTIVES = ['causal', 'masked', 'chat', 'preference', 'seq2seq'] as const;

/**
 * What can be learned, as `--objective` names it.
 *
 * @category Training
 */
export type ObjectiveName = (typeof OBJECTIVES)[number];
