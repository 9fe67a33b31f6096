/** How the parameters of a round are made of its replicas': see {@link OuterOptions}. */
export const OUTERS = ['average', 'nesterov'] as const;
export type OuterMethod = (typeof OUTERS)[number];

/** What becomes of AdamW's moments when parameters are averaged. */
export const MOMENTS = ['keep', 'average'] as const;

/**
 * How numbers travel: as they are, or rounded to 16 bits, or to 8 or 4 with one scale for each block of them. Each costs
 * so many bits an element, with its scales: 32, 16, 8.06, 4.06. Their order is that of their numbers in headers.
 */
export const FORMATS = ['fp32', 'bf16', 'int8', 'int4'] as const;
export type Format = (typeof FORMATS)[number];

/**
 * How averaged moments may travel. AdamW divides by the root of the second moment: in a block of 8 or 4 bits small ones
 * become 0, and the next step is divided by ε alone.
 */
export const MOMENTS_FORMATS = ['fp32', 'bf16'] as const satisfies readonly Format[];

/**
 * How contributions become one, element by element. `mean` is weighted. `trimmed` and `median` stand up to some that are
 * wrong (arXiv 1803.01498) and count every contribution alike, for a weight is what a wrong one would claim: `trimmed` is
 * the mean without the least and the greatest values, a fifth of all on each side and at least one of three; `median` the
 * middle value, or the mean of the two middle ones.
 */
export const MERGES = ['mean', 'trimmed', 'median'] as const;
export type MergeMethod = (typeof MERGES)[number];
