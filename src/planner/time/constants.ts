/**
 * Figures of the time model that hold for every machine and framework. The shipped ones are in
 * `calibration/constants.json`, with where each comes from.
 */
export interface TimeConstants {
  /** Share of the datasheet's rate of products that a large one sustains, where no measurement is known. */
  readonly sustainedRate: number;
  /** Share of the datasheet's memory bandwidth that a pass over memory reaches. */
  readonly memoryEfficiency: number;
  /** Times that a product's operands and result cross the memory bus beside its arithmetic. */
  readonly matrixTraffic: number;
  /** How much slower attention's products are when a head's size leaves a remainder by 8 elements (16 bytes). */
  readonly misalignment: number;
  /** Seconds between the starts of two kernels. */
  readonly launch: number;
  /** Share of the rate of products that tiled attention reaches, forward and backward, by generation of the kernel. */
  readonly attentionForward: readonly [number, number, number];
  readonly attentionBackward: readonly [number, number, number];
  /** Share of a link's bandwidth that collectives reach, within a node and between nodes. */
  readonly intraEfficiency: number;
  readonly interEfficiency: number;
  /** Share of an exchange that is hidden where a framework overlaps it. */
  readonly overlap: number;
  /** Seconds of a step that no device works: loss scale, logging, next batch. */
  readonly stepOverhead: number;
}
