/** What the products of linear layers are computed in while a model is trained. */
export const PRECISIONS = ['fp32', 'int8'] as const;

/** One of {@link PRECISIONS}. */
export type TrainingPrecision = (typeof PRECISIONS)[number];
