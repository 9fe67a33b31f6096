/** What trains a model's matrices; all else is always AdamW's. */
export const OPTIMIZERS = ['adamw', 'muon'] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** How the learning rate falls after its warm-up. */
export const SCHEDULES = ['linear', 'cosine'] as const;
export type RateShape = (typeof SCHEDULES)[number];

/**
 * What of a model is on disk while it is trained: nothing, the moments of its optimiser, all, or with all of it the hidden
 * states between its layers.
 */
export const OFFLOADS = ['none', 'moments', 'all', 'all+states'] as const;

/** What the optimiser's moments are kept in from one step to the next. */
export const MOMENTS_PRECISIONS = ['fp32', 'bf16', 'int8'] as const;
