/** What products of matrices are computed in on devices that have it, with weights and all sums beside them in float32. */
export const HALF_PRECISIONS = ['fp16', 'bf16'] as const;

/** One of {@link HALF_PRECISIONS}. */
export type HalfPrecision = (typeof HALF_PRECISIONS)[number];

/** What the products of linear layers are computed in while a model is trained. */
export const PRECISIONS = ['fp32', 'int8', ...HALF_PRECISIONS] as const;

/** One of {@link PRECISIONS}. */
export type TrainingPrecision = (typeof PRECISIONS)[number];

/** The precision, if it is one of fewer bits that devices have. */
export function halfOf(precision: TrainingPrecision | undefined): HalfPrecision | undefined {
  return HALF_PRECISIONS.find((one) => one === precision);
}
