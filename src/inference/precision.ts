/** How the weights of a model that writes are kept: as they are, or as whole numbers of so many bits. */
export const PRECISIONS = ['fp32', 'int8', 'int4'] as const;
export type WeightPrecision = (typeof PRECISIONS)[number];
