import type { Tokenizer } from '../data/index.js';
import type { WeightsFile } from '../hub/model-folder.js';
import type { ObjectiveConfig } from '../objectives/create.js';
import type { Objective } from '../objectives/objective.js';
import type { MuonMatrix } from '../training/muon.js';
import type { RateRange } from '../training/rate-ranges.js';
import type { OwnStartedEvent, StartedEvent, TrainResult } from './events.js';
import type { FrozenPart } from './frozen-part.js';
import type { TeacherPart } from './teacher-part.js';

/** A run that learns from samples in a folder. */
export interface DataTask {
  readonly kind: 'data';
  /** The data set's folder; each replica reads its own samples. */
  readonly folder: string;
  /** The model's `config.json`. */
  readonly model: unknown;
  /** Its frozen parameters, of which each replica has a copy: native code takes no memory that threads share. */
  readonly frozen?: FrozenPart;
  /** The model whose probabilities are learned, of which each replica has a copy as well. */
  readonly teacher?: TeacherPart;
  readonly objective: ObjectiveConfig;
  readonly context: number;
}

/** What a run learns and from what, as a thread is told it: nothing but JSON. */
export type TaskSetup =
  | DataTask
  | {
      readonly kind: 'own';
      /** The URL of a module of one's own. */
      readonly module: string;
    };

/** How much there is to learn from, for whoever is told of the start. */
export type TaskSizes =
  | Pick<StartedEvent, 'vocabulary' | 'trainTokens' | 'validationTokens'>
  | Pick<OwnStartedEvent, 'trainSamples' | 'validationSamples'>;

/** What a run learns and from what, made ready. */
export interface PreparedRun {
  readonly task: TaskSetup;
  readonly learned: Objective<never>;
  /** Factors of the learning rate, where parameters differ in them. */
  readonly rates?: readonly RateRange[] | undefined;
  /** Those of hidden layers, in the trained vector; of a model of one's own nobody knows which they are. */
  readonly matrices?: readonly MuonMatrix[] | undefined;
  /** How many there are, trained and frozen. */
  readonly parameters: number;
  /** Undefined where all parameters are trained. */
  readonly frozen?: FrozenPart | undefined;
  /** Equal ones mean equal samples. */
  readonly fingerprint: string;
  /** The numbers of the validation samples: where windows of a text start, or places in a list. */
  readonly validation: readonly number[];
  readonly sizes: TaskSizes;
  /** Samples of an epoch, where a model that exists learns rows. */
  readonly rows?: number | undefined;
  /** Of a text: bytes of what an evaluation predicts, a token of it. */
  readonly bytesPerToken?: number;
  /** The trained parameters that the run begins with, anew each time. */
  initial(): Promise<Float32Array>;
  /** Writes the run's `model/`. @param trained parameters, or a file that holds all of the model's */
  writeModel(folder: string, trained: Float32Array | WeightsFile): Promise<void>;
}

/**
 * Decides what of a run is on disk, as soon as it is known what is learned and before anything is laid down for it: what that
 * takes is known further down (`local/`).
 */
export type Settle = (known: Pick<PreparedRun, 'learned' | 'rates' | 'matrices'>) => Promise<void>;

/** Samples in the run's folder, made ready, whatever they are made of. */
export interface PreparedSamples {
  readonly tokenizer: Tokenizer;
  /** Equal ones mean equal samples. */
  readonly fingerprint: string;
  /** What is learned of them. */
  readonly objective: ObjectiveConfig;
  /** Tokens of a sample. */
  readonly context: number;
  /** How much there is. */
  readonly counts: Readonly<Record<'documents' | 'bytes' | 'train_tokens' | 'validation_tokens', number>>;
  /** The numbers of the samples that validate. */
  readonly validation: readonly number[];
  readonly samplesPerEpoch: number;
  /** Of a text: bytes of what an evaluation predicts, a token of it. */
  readonly bytesPerToken?: number;
  /** Names of the files that are needed to train; the others are for evaluations and for the model's folder. */
  readonly trainingFiles: readonly string[];
  /** Of conversations: what the model's folder has beside the weights, and the token that ends a turn. */
  readonly chat?: { readonly files: Readonly<Record<string, string>>; readonly end: number | undefined };
}

/** What is told of a run that is about to take its next step, but for what only some drivers know. */
export function startedEvent(
  folder: string,
  { parameters, frozen, learned, sizes }: PreparedRun,
  now: Pick<StartedEvent, 'step' | 'replicas' | 'threads'>,
): StartedEvent {
  const { step, ...team } = now;
  return {
    ...({ type: 'started', run: folder, step, parameters } as const),
    ...(frozen && { frozen: learned.frozen.size }),
    ...(learned.teaching && { teacher: learned.teaching.layout.size }),
    ...team,
    // Of a model of one's own they have other names (see events.ts).
    ...(sizes as Pick<StartedEvent, 'vocabulary' | 'trainTokens' | 'validationTokens'>),
  };
}

/** In what a run's length and speed are told: a text's tokens, or samples. */
export type Unit = 'tokens' | 'samples';

export function unitOf({ tokensPerSample }: Pick<Objective<never>, 'tokensPerSample'>): Unit {
  return tokensPerSample === undefined ? 'samples' : 'tokens';
}

/**
 * How much was learned from, and how fast, under the names of its unit. Inside, all events have the type of a text's;
 * whoever trains a model of their own sees them with the names that they have then (see events.ts).
 */
export function counted(unit: Unit, count: number, perSecond: number): Pick<TrainResult, 'tokens' | 'tokensPerSecond'> {
  const figures = { [unit]: count, [`${unit}PerSecond`]: perSecond };
  return figures as unknown as Pick<TrainResult, 'tokens' | 'tokensPerSecond'>;
}

/** What a sample counts for in figures of speed and length: a window's tokens, or itself. */
export function countOf(learned: Pick<Objective<never>, 'tokensPerSample'>): number {
  return learned.tokensPerSample ?? 1;
}
