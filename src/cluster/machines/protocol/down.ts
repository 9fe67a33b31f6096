/** Samples that a member may train on in a round, once each: ranges of places in an epoch's order. */
export interface Lease {
  readonly ranges: readonly { readonly epoch: number; readonly start: number; readonly end: number }[];
}
