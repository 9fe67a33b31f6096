/**
 * Figures of the time model that hold for every machine and framework, fitted together to published measurements. The
 * shipped ones are in `constants.json`, with the range of each and where it comes from.
 */
export interface FittedTime {
  /** Share of the datasheet's memory bandwidth that a pass over memory reaches. */
  readonly memoryEfficiency: number;
  /** Elements of a result that a card's multiprocessors make in one wave of tiles, half of the last of which is idle. */
  readonly waveElements: number;
  /** How much slower attention's products are when a head's size leaves a remainder by 8 elements (16 bytes). */
  readonly misalignment: number;
  /**
   * Seconds that the host needs to start one pass of a layer: what a layer takes at least, however small. Twice that
   * with tensor parallelism, whose exchanges are started and waited for between the kernels.
   */
  readonly hostPass: number;
  /** Share of a link's bandwidth that an exchange reaches, within a node and between nodes. */
  readonly linkEfficiency: number;
  /** What each doubling of the nodes beyond two costs a collective: its time grows by this share. */
  readonly congestion: number;
  /** Share of a line that ZeRO-3 reaches between nodes where it gathers one parameter after the other. */
  readonly parameterGather: number;
  /**
   * Share of an exchange that is hidden where a framework overlaps it and layers wait for it: gathered parameters
   * (ZeRO-3), tensor parallelism.
   */
  readonly overlap: number;
  /** Seconds of a step that no device works: loss scale, logging, next batch. */
  readonly stepOverhead: number;
  /** Share that 4-bit products reach of the rate that their datasheet promises beside the 8-bit one's. */
  readonly fourBitShare: number;
}

/** Figures of the same kind that others measured and published; nothing here is fitted. */
export interface PublishedTime {
  /** Share of the datasheet's rate of products that a large one sustains, where no measurement of the card is known. */
  readonly sustainedRate: number;
  /** Seconds between the starts of two kernels on the device. */
  readonly launch: number;
  /** Share of the rate of products that tiled attention reaches, forward and backward, by generation of the kernel. */
  readonly attentionForward: readonly [number, number, number];
  readonly attentionBackward: readonly [number, number, number];
  /** What attention kernels of the first two generations reach of that on cards of 2022 and later, made for other units. */
  readonly oldAttentionKernel: number;
  /** Share of an exchange of gradients that is hidden: nothing waits for them before the step's end. */
  readonly gradientOverlap: number;
}

export interface TimeConstants extends FittedTime, PublishedTime {}

/** Figures of the memory model that hold for every machine and framework. */
export interface MemoryConstants {
  /** Bytes that context, libraries and communication take on a device before a model comes; of a small one 5 %. */
  readonly contextBytes: number;
  /** Share of activations and work space that the allocator holds beyond what is asked for. */
  readonly fragmentation: number;
}
