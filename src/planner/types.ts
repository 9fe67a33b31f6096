/**
 * What the planner's parts tell each other. Everything is in base units: bytes, seconds, FLOP, FLOP/s, bytes/s, watts,
 * US dollars; tables that people write or read have the unit in the column's name.
 */

/** Number formats of matrix products, widest first. */
export const PRECISIONS = ['fp32', 'tf32', 'fp16', 'bf16', 'fp8', 'mxfp8', 'nvfp4'] as const;

/** What an accelerator is. */
export const ACCELERATOR_KINDS = ['gpu', 'tpu', 'cpu', 'browser'] as const;

/** What of a layer's activations is computed again, from the fastest to what saves most. */
export const RECOMPUTATIONS = ['none', 'selective', 'full'] as const;

/** What lives outside the device. */
export const OFFLOADS = ['none', 'optimizer', 'optimizer+parameters'] as const;

/**
 * Number formats of matrix products, by their usual names.
 *
 * @category Planning a machine
 */
export type Precision = (typeof PRECISIONS)[number];

/**
 * Where a figure was found, and whether it is a vendor's claim or was measured.
 *
 * @category Planning a machine
 */
export interface Source {
  readonly kind: 'datasheet' | 'measured' | 'paper' | 'estimate';
  readonly where: string;
}

/**
 * A transformer language model, as far as its cost goes.
 *
 * @category Planning a machine
 */
export interface Workload {
  readonly name: string;
  /** `gpt2`, `llama`, `bert`, `mixtral`, …: a Hugging Face `model_type`, or the nearest. */
  readonly family: string;
  readonly layers: number;
  /** Width of a token. */
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Inner width of the feed-forward part (of one expert, where there are experts). */
  readonly feedForward: number;
  /** Matrices of the feed-forward part: 2 (GELU) or 3 (gated, SwiGLU). */
  readonly feedForwardMatrices: 2 | 3;
  readonly vocabulary: number;
  /** Longest sequence of the model, tokens. */
  readonly context: number;
  readonly tiedHead: boolean;
  /** Whether linear layers have biases. */
  readonly biases: boolean;
  readonly positions: 'learned' | 'rotary' | 'alibi' | 'none';
  readonly causal: boolean;
  /** Mixture of experts: experts of each layer, and those a token passes. */
  readonly experts?: {
    readonly count: number;
    readonly active: number;
    /** Experts beside them that every token passes. Default: 0. */
    readonly shared?: number;
    /** Layers that have one feed-forward part instead, of this inner width. Default: 0. */
    readonly denseLayers?: number;
    readonly denseFeedForward?: number;
    /**
     * Groups of experts, and those that a token's experts are in at most: as many nodes get it, once each (arXiv
     * 2412.19437, §3.2.2). Default: a token is sent to each of its experts by itself.
     */
    readonly groups?: { readonly count: number; readonly active: number };
  };
  /**
   * Multi-head latent attention (arXiv 2405.04434, §2.1): ranks of what queries (null: none) and keys and values are
   * made from, and sizes of a head: keys' part with and without rotation, values.
   */
  readonly latent?: {
    readonly query: number | null;
    readonly keyValue: number;
    readonly plain: number;
    readonly rotated: number;
    readonly value: number;
  };
  /** Of an encoder and decoder: layers that attend to the encoder's output as well (4·hidden² more parameters). */
  readonly crossAttentionLayers?: number;
  /** Exact count of trained parameters. */
  readonly parameters: number;
  /** Of these, what a token passes (all, without experts). */
  readonly activeParameters: number;
}

/**
 * A card, a CPU, or a browser on one.
 *
 * @category Planning a machine
 */
export interface Accelerator {
  readonly name: string;
  readonly year: number;
  readonly kind: (typeof ACCELERATOR_KINDS)[number];
  /** Bytes. */
  readonly memory: number;
  /** Bytes a second. */
  readonly memoryBandwidth: number;
  /** Dense FLOP/s of matrix products by format, as the datasheet says. */
  readonly rates: Partial<Readonly<Record<Precision, number>>>;
  /** The best that a measurement of plain matrix products reached, FLOP/s by format. */
  readonly measuredRates: Partial<Readonly<Record<Precision, number>>>;
  /** FLOP/s in fp64 on LINPACK's kind of product (tensor units where the card has them). */
  readonly fp64: number | null;
  /** Bytes a second in one direction to its neighbours in the node (NVLink, XGMI, ICI); `null`: by PCIe or memory. */
  readonly scaleUp: number | null;
  /** Watts. */
  readonly power: number;
  /** Power over that of the card that the rates are of, where it is limited (or raised). */
  readonly powerShare?: number;
  /** US dollars an hour, on demand; `null`: not rented anywhere we know. */
  readonly price: number | null;
  /** By field. */
  readonly sources: Readonly<Record<string, Source>>;
}

/**
 * Nodes of accelerators on a network.
 *
 * @category Planning a machine
 */
export interface Cluster {
  readonly name: string;
  readonly accelerator: Accelerator;
  readonly accelerators: number;
  readonly perNode: number;
  /** Bytes a second and direction of an accelerator within the node. */
  readonly intraNode: number;
  /** Bytes a second and direction of a whole node to the others. */
  readonly interNode: number;
  /** Seconds of a message within the node and between nodes. */
  readonly intraLatency: number;
  readonly interLatency: number;
  /** Of a node: cores, bytes of memory, bytes a second of its memory, and of its disks (`null`: none to offload to). */
  readonly host: {
    readonly cores: number;
    readonly memory: number;
    readonly memoryBandwidth: number;
    readonly diskBandwidth: number | null;
    readonly disk: number | null;
    /** Bytes a second and direction between an accelerator and the host. */
    readonly link: number;
  };
  /** Watts of a node beside its accelerators; power usage effectiveness of the building. */
  readonly hostPower: number;
  readonly powerUsageEffectiveness: number;
  /** US dollars an hour of one accelerator with its share of the node; `null`: unknown. */
  readonly price: number | null;
  /** Mean time between failures of one node, seconds. */
  readonly nodeMeanTimeBetweenFailures: number;
  /** Bytes a second to the storage that checkpoints are written to, of the whole cluster. */
  readonly storageBandwidth: number;
  readonly sources: Readonly<Record<string, Source>>;
}

/**
 * How a model is laid over a cluster, and what a step is. `data · tensor · context · pipeline` accelerators are used.
 *
 * @category Planning a machine
 */
export interface Arrangement {
  readonly data: number;
  readonly tensor: number;
  /** Activations between tensor-parallel parts split along the sequence (arXiv 2205.05198). */
  readonly sequenceParallel: boolean;
  readonly pipeline: number;
  /** Stages of the model a device holds; 1: plain 1F1B (arXiv 2104.04473). */
  readonly interleave: number;
  /** Devices that share a sequence. */
  readonly context: number;
  /** Devices that share the experts of a layer; divides `data · context`. */
  readonly expert: number;
  /** 0 none, 1 optimiser, 2 and gradients, 3 and parameters split over `data` (arXiv 1910.02054). */
  readonly zero: 0 | 1 | 2 | 3;
  /** What lives outside the device. */
  readonly offload: (typeof OFFLOADS)[number];
  readonly offloadTo: 'host' | 'disk';
  readonly recompute: (typeof RECOMPUTATIONS)[number];
  readonly precision: Precision;
  /** Sequences of a micro-batch on one data-parallel rank. */
  readonly microBatch: number;
  /** Sequences of a step of all ranks. */
  readonly globalBatch: number;
  /** Tokens of a sequence. */
  readonly sequence: number;
  /** Attention computed in tiles, its T × T scores never stored (arXiv 2205.14135). */
  readonly flashAttention: boolean;
}

/**
 * Software whose habits matter: what it keeps in which format, what it overlaps, how well its kernels do.
 *
 * @category Planning a machine
 */
export interface Framework {
  readonly name: string;
  /** Share of the roofline's rate that its kernels reach in all, the one constant fitted per accelerator. */
  readonly efficiency: number;
  readonly efficiencySource: 'fitted' | 'default';
  /** What it keeps and hides; without: those of the calibration table's `default`. */
  readonly habits?: FrameworkHabits;
}

/**
 * What training software does that shows in time and memory, read from its documentation and code.
 *
 * @category Planning a machine
 */
export interface FrameworkHabits {
  /** Bytes of one parameter as the device holds it for the products, of its gradient, of its optimiser's state. */
  readonly parameterBytes: number;
  readonly gradientBytes: number;
  readonly optimizerBytes: number;
  /** Bytes of one gradient and of one gathered parameter on the wire. */
  readonly reduceBytes: number;
  readonly gatherBytes: number;
  /** Dropout after attention's softmax, projections and embedding. */
  readonly dropout: boolean;
  /** Tiled attention kernel: 1 FlashAttention and Triton's, 2 FlashAttention-2, 3 FlashAttention-3 and cuDNN 9. */
  readonly attentionKernel: 1 | 2 | 3;
  /** Whether elementwise passes are fused with their neighbours (JIT, Transformer Engine), and the loss's are. */
  readonly fusedPasses: boolean;
  readonly fusedLoss: boolean;
  /** Bytes that memory moves per parameter to add a micro-batch's gradient to the sum of those before. */
  readonly accumulationBytes: number;
  /** Whether with fp16 gradients stay in 16 bits, in memory and on the wire. */
  readonly halfGradients: boolean;
  /** Whether the exchange of gradients and parameters, and that of tensor parallelism, runs beside the products. */
  readonly dataOverlap: boolean;
  readonly tensorOverlap: boolean;
  /** Whether ZeRO-3 gathers one parameter after the other, not a layer's as one. */
  readonly gatherByParameter: boolean;
  /** Whether ZeRO-3 goes with a pipeline: what was gathered stays until the step's end. */
  readonly shardedPipeline: boolean;
  /** Whether a stage may hold fewer layers than the others. */
  readonly unevenStages: boolean;
  /** Whether selective recomputation drops every second product, not attention's scores alone. */
  readonly selectiveProducts: boolean;
  /** Whether each tensor-parallel rank sends only its share of an activation to the next stage. */
  readonly splitPipelineMessages: boolean;
  /** Whether embedding and head count as a layer each when stages are cut. */
  readonly headAsLayer: boolean;
}

/**
 * Bytes of one device at the peak of a step.
 *
 * @category Planning a machine
 */
export interface MemoryUse {
  readonly parameters: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  /** Communication and work space, the framework's own, fragmentation. */
  readonly buffers: number;
  readonly logits: number;
  readonly total: number;
  /** Bytes that the device has for all of these. */
  readonly available: number;
  /** Bytes that offloading puts on the host (or disk) of a node. */
  readonly host: number;
}

/**
 * Seconds of a step by what takes them, on the critical path; they add up to `total`.
 *
 * @category Planning a machine
 */
export interface StepTime {
  readonly matrices: number;
  /** Passes over memory: norms, activations, softmax, dropout. */
  readonly memoryBound: number;
  readonly recompute: number;
  readonly tensorCommunication: number;
  readonly pipelineCommunication: number;
  readonly pipelineBubble: number;
  /** What of the gradients' and parameters' exchange is not hidden. */
  readonly dataCommunication: number;
  readonly optimizer: number;
  readonly offload: number;
  readonly total: number;
}

/**
 * What a step of an arrangement is predicted to take.
 *
 * @category Planning a machine
 */
export interface StepPrediction {
  readonly memory: MemoryUse;
  readonly fits: boolean;
  readonly time: StepTime;
  /** Of all accelerators. */
  readonly tokensPerSecond: number;
  /** FLOP of the model in a step (no recomputation), of all accelerators: 6·N·tokens plus attention. */
  readonly modelFlop: number;
  /** FLOP that are really done, recomputation included. */
  readonly hardwareFlop: number;
  /** modelFlop over what the datasheet's rate would do in the time; 0 to 1. */
  readonly utilization: number;
  /** Bytes that one accelerator sends in a step, within its node and to other nodes. */
  readonly bytesIntra: number;
  readonly bytesInter: number;
}
