import { MOMENTS, OUTERS } from '../averaging/choices.js';
import type { OptionDefinition } from '../base/option-table.js';
import { FIELD } from '../data/corpus/field-option.js';
import { TOKENIZERS } from '../data/tokenizers/kinds.js';
import { DEVICE_CHOICES } from '../engine/node/device-names.js';
import { ADAPTERS, BASE_DTYPES, FAMILIES } from '../model/family-names.js';
import { presetNames } from '../model/presets.js';
import { OBJECTIVES } from '../objectives/names.js';
import { MOMENTS_PRECISIONS, OFFLOADS, OPTIMIZERS, SCHEDULES } from '../training/optimizers.js';
import { PRECISIONS } from '../training/precision-names.js';

/** An option of training. */
export interface TrainOption extends OptionDefinition {
  /**
   * What `--resume` makes of another value than the run was started with: `free` takes it, as it changes nothing of what
   * is computed; `further` takes it if the run goes further by it; without either it is refused.
   */
  readonly resume?: 'free' | 'further';
  /** Whether it is of one process alone and stays out of `run.json`. */
  readonly stored?: false;
  /** Of a run between machines: false where only replicas on threads can have it, or what it is there instead. */
  readonly betweenMachines?: false | Pick<OptionDefinition, 'help' | 'default' | 'otherwise'>;
}

type TrainTable = Readonly<Record<string, TrainOption>>;

const RUN = {
  /** The run's folder. Default `runs/` and a name made of the date. */
  run: {
    kind: 'text',
    value: 'folder',
    resume: 'free',
    stored: false,
    help: 'where the run is kept',
    otherwise: 'runs/ and the date',
  },
  /** Continue the run in its folder. */
  resume: { kind: 'flag', resume: 'free', stored: false, help: 'continue the run in its folder' },
  /** Take over a lock of another host; train although memory may not suffice. */
  force: {
    kind: 'flag',
    resume: 'free',
    stored: false,
    help: 'take over the lock of another host; train although memory may not suffice',
  },
  /** A configuration of DeepSpeed, whose keys that have a meaning here stand for options. Default none. */
  deepspeed: {
    kind: 'text',
    value: 'ds_config.json',
    resume: 'free',
    stored: false,
    betweenMachines: false,
    help: 'options from a configuration of DeepSpeed; what has no meaning here is named',
    otherwise: 'none',
  },
  /** Of everything random. Default 1337. */
  seed: { kind: 'whole', default: 1337, help: 'seed of everything random' },
  /** Steps between two checkpoints; one is made at the end of the round in which it falls. Default as `evalEvery`. */
  checkpointEvery: { kind: 'count', help: 'steps between checkpoints', otherwise: 'as --eval-every' },
  /** Checkpoints to keep. Default 2. */
  keep: { kind: 'count', default: 2, resume: 'free', help: 'checkpoints to keep' },
} as const satisfies TrainTable;

const MODEL = {
  /** A model to start from, a run or a folder in Hugging Face's layout: it decides sizes and tokenizer. Default none. */
  from: {
    kind: 'text',
    value: 'model',
    help: "a model to start from: a run, or a folder in Hugging Face's layout",
    otherwise: 'a new one',
  },
  /** Tokens to be added to the tokenizer of `from`; the model gets a row for each. Default none. */
  addTokens: {
    kind: 'texts',
    value: 'token|@file',
    file: true,
    help: 'tokens to add to the tokenizer of --from, such as <|user|>; @file has one a line; may be given again',
  },
  /** Whether added tokens are ordinary words, which decoders never leave out; else control tokens, as markers of chats are. */
  plainTokens: { kind: 'flag', help: 'tokens of --add-tokens are words, not control tokens' },
  /** Sizes that work well together, by name. Default `micro`. */
  preset: { kind: 'choice', choices: presetNames, help: 'sizes that work well together', otherwise: 'micro' },
  /** The family. Default that of the preset. */
  model: {
    kind: 'choice',
    choices: FAMILIES,
    value: 'family',
    help: 'model family',
    otherwise: 'that of the preset',
  },
  /** What is learned. Default `causal`, of encoders `masked`, of encoder-decoders `seq2seq`, of pairs beside `from` `preference`. */
  objective: {
    kind: 'choice',
    choices: OBJECTIVES,
    help: 'what is learned: the next token, masked ones, the answers in conversations, which of two is better, or targets of sources',
    otherwise: 'causal; encoders: masked; t5: seq2seq; --from with pairs: preference',
  },
  /** With `chat`, whether each row has a window to itself; else rows share windows, and none sees another. */
  unpacked: { kind: 'flag', help: 'chat: a window for each row, instead of several rows in one' },
  /** With `preference`, how dear it is to leave the model that it starts from: β of DPO (arXiv 2305.18290). Default 0.1. */
  beta: { kind: 'positive', default: 0.1, help: 'preference: how dear it is to leave the model that it starts from' },
  /** With `preference`, the share of pairs held to be the wrong way round, below a half. Default 0. */
  labelSmoothing: {
    kind: 'number',
    least: 0,
    most: 0.49,
    default: 0,
    help: 'preference: share of pairs held to be the wrong way round',
  },
  /** A larger model whose probabilities are learned beside the tokens, of `causal` and `chat`. Default none. */
  teacher: {
    kind: 'text',
    value: 'model',
    betweenMachines: false,
    help: 'a larger model of the same tokenizer, whose probabilities are learned beside the tokens (causal, chat)',
    otherwise: 'none',
  },
  /** w of the loss (1 − w) · cross-entropy + w · T² · KL(teacher‖student) (arXiv 1503.02531), from 0 to 1. Default 0.5. */
  teacherWeight: {
    kind: 'number',
    least: 0,
    most: 1,
    default: 0.5,
    betweenMachines: false,
    help: 'share of the teacher in what is learned, from 0 to 1',
  },
  /** T of that loss, by which both models' scores are divided where they are compared; at most 100. Default 1. */
  teacherTemperature: {
    kind: 'positive',
    most: 100,
    default: 1,
    betweenMachines: false,
    help: "by what the teacher's scores and the student's are divided where they are compared",
  },
  /** With `masked`, the share of tokens to be told. Default 0.15. */
  maskRate: { kind: 'share', most: 0.5, default: 0.15, help: 'masked: share of tokens to be told' },
  /** Blocks. */
  layers: { kind: 'count', help: 'blocks' },
  /** The size of a token inside the model, a multiple of `heads`. */
  width: { kind: 'count', help: 'size of a token inside the model; a multiple of the heads' },
  /** Attention heads. */
  heads: { kind: 'count', help: 'attention heads' },
  /** Heads of keys and values, of `llama`; a divisor of `heads`. */
  kvHeads: { kind: 'count', help: 'key and value heads (llama)' },
  /** The longest sequence, in tokens; with `from` that of training, at most the model's own, 1024 unless given. */
  context: { kind: 'count', help: "longest sequence, in tokens; with --from at most the model's" },
  /** Parameters that stay as they are, by names such as `embed_tokens.*` and `layers.[0-2].*`; `!layers.2.*` takes back. Default none. */
  freeze: {
    kind: 'texts',
    value: 'pattern',
    help: 'parameters that stay as they are, by name: embed_tokens.*, layers.[0-2].*; !layers.2.* takes back; may be given again',
  },
  /** What is trained beside a model that stays as it is; with `from`. Default none: the model itself is trained. */
  adapter: {
    kind: 'choice',
    choices: ADAPTERS,
    help: 'train small matrices beside the linear layers of --from, which stay as they are',
    otherwise: 'none',
  },
  /** Of the adapter's matrices. Default 16. */
  rank: { kind: 'count', default: 16, help: 'adapter: rank of its matrices' },
  /** What the adapter adds is multiplied by alpha / rank. Default twice the rank. */
  alpha: {
    kind: 'positive',
    help: 'adapter: what it adds counts alpha / rank times',
    otherwise: 'twice the rank',
  },
  /** What the adapter adds is multiplied by alpha / √rank (arXiv 2312.03732). */
  rslora: { kind: 'flag', help: 'adapter: alpha / √rank times instead' },
  /** Linear layers with an adapter, by names such as `q_proj`, `layers.[0-3].mlp.*`, `embed_tokens`. Default all but the head. */
  targets: {
    kind: 'texts',
    value: 'pattern',
    help: 'adapter: linear layers that get one, by name: q_proj, layers.[0-3].mlp.*; may be given again',
    otherwise: 'all',
  },
  /** With `adapter`, modules that are trained whole beside it, by names such as `lm_head`, `norm`, `classifier`. Default none. */
  modulesToSave: {
    kind: 'texts',
    value: 'pattern',
    help: 'adapter: modules that are trained whole beside it, by name: lm_head, embed_tokens; may be given again',
    otherwise: 'none',
  },
  /** With `adapter`, how the matrices of the model beside it are kept: int4 takes an eighth of the memory. Default `fp32`. */
  baseDtype: {
    kind: 'choice',
    choices: BASE_DTYPES,
    help: 'adapter: how the matrices of --from are kept in memory; int8 and int4 round them (QLoRA)',
    otherwise: 'fp32',
  },
  /** The share of activations that a step of training drops, from 0 to below 1; with `adapter` of its inputs. Default none. */
  dropout: { kind: 'part', help: 'share of activations that training drops', otherwise: 'none' },
  /** What products are computed in: `int8` for new models on a CPU, `fp16` and `bf16` on devices that have it. Default `fp32`. */
  precision: {
    kind: 'choice',
    choices: PRECISIONS,
    default: 'fp32',
    help: 'in what products are computed; int8, of a new model, is faster on a CPU; fp16 and bf16 are of GPUs',
  },
} as const satisfies TrainTable;

const DATA = {
  /** How text becomes tokens. Default `bpe`. */
  tokenizer: { kind: 'choice', choices: TOKENIZERS, value: 'kind', default: 'bpe', help: 'tokenizer' },
  /** Entries of the BPE tokenizer to train. Default those of the preset, or by the size of the text. */
  vocab: { kind: 'count', help: 'entries of the bpe tokenizer', otherwise: 'those of the preset, or by the text' },
  /** The key of JSONL rows, or the column of Parquet files, that holds the text. */
  field: FIELD,
  /** A file, or a folder, of text or rows that validate; then nothing of the corpus does. Default none. */
  evalFile: {
    kind: 'text',
    value: 'file',
    help: 'held-out text or rows, in place of a part of the corpus',
    otherwise: 'none',
  },
  /** The part of the text that is held out. Default 0.1. */
  validationFraction: { kind: 'fraction', default: 0.1, help: 'part of the text held out' },
} as const satisfies TrainTable;

const LENGTH = {
  /** Inner steps per replica. Default 2000; of rows with `from` what three passes over them take, if that is fewer. */
  steps: {
    kind: 'count',
    resume: 'further',
    help: 'inner steps of each replica',
    otherwise: '2000; of rows with --from what three passes take, if fewer',
  },
  /** Tokens to train on, over all replicas. */
  tokens: { kind: 'count', resume: 'further', help: 'tokens to train on, over all replicas' },
  /** Wall time to train for. */
  minutes: { kind: 'positive', value: 'n', resume: 'further', help: 'time to train for' },
  /** Stop when the validation loss falls below this, in nats per token. */
  untilLoss: { kind: 'positive', resume: 'free', help: 'stop when the validation loss falls below' },
  /** Stop after this many evaluations in a row without a lower validation loss. */
  patience: {
    kind: 'count',
    resume: 'further',
    help: 'stop after so many evaluations without a lower validation loss',
  },
  /** Steps between two evaluations; one takes place at the end of the round in which it falls. Default 250. */
  evalEvery: { kind: 'count', default: 250, help: 'steps between evaluations' },
} as const satisfies TrainTable;

const OPTIMISER = {
  /** What trains the matrices of hidden layers: `muon` for a new model that learns the next token, else `adamw`; so with `offload`, `zero` 2, 3. */
  optimizer: {
    kind: 'choice',
    choices: OPTIMIZERS,
    help: 'what trains the matrices of hidden layers',
    otherwise: 'muon for a new model that learns the next token, else adamw; so with --offload, --zero 2 and 3',
  },
  /** The peak learning rate. Default 3e-3 up to a million parameters, then less by size; with `from` a tenth, with `adapter` half. */
  lr: {
    kind: 'positive',
    help: 'peak learning rate',
    otherwise: 'by size, 3e-3 up to a million parameters; with --from a tenth, --adapter half',
  },
  /** How the rate falls after its warm-up. Default `linear` for a new model, `cosine` with `from`. */
  schedule: {
    kind: 'choice',
    choices: SCHEDULES,
    help: 'how the learning rate falls',
    otherwise: 'linear for a new model, cosine with --from',
  },
  /** The learning rate at the end. Default 0 where it falls to the end of the run by a line, else a tenth of the peak. */
  minLr: {
    kind: 'notNegative',
    help: 'learning rate at the end',
    otherwise: 'a tenth of --lr; 0 where it falls by a line and the run ends with it',
  },
  /** Block i of n learns by this to the power n − 1 − i of the rate, embeddings by one more, the head by all. Default none. */
  layerLrDecay: {
    kind: 'share',
    help: "each block's rate, as a share of that of the block above it; embeddings lowest, the head all",
    otherwise: 'none',
  },
  /** `PATTERN=FACTOR`: the rate of parameters by name, such as `embed_tokens.*=0.1`; several that fit multiply. Default none. */
  lrScale: {
    kind: 'texts',
    value: 'pattern=factor',
    help: 'the rate of some parameters, by name: embed_tokens.*=0.1, lora_B.*=4; may be given again',
    otherwise: 'none',
  },
  /** Steps of linear warm-up. Default 100, at most a tenth of the run. */
  warmup: { kind: 'whole', help: 'steps of warm-up', otherwise: '100, at most a tenth of the run' },
  /** The decay of matrices. Default 0.1. */
  weightDecay: { kind: 'notNegative', default: 0.1, help: 'decay of matrices' },
  /** AdamW's share of the first moment that stays. Default 0.9. */
  beta1: { kind: 'part', default: 0.9, help: "AdamW's share of the mean gradient that stays at a step" },
  /** AdamW's share of the second moment that stays, as GPT-3 and Llama have it: 0.99 ends 0.6 % higher. Default 0.95. */
  beta2: { kind: 'part', default: 0.95, help: "AdamW's share of the mean square that stays at a step" },
  /** What AdamW adds to the root of the second moment. Default 1e-8. */
  epsilon: { kind: 'positive', default: 1e-8, help: 'what AdamW adds to the root of that mean square' },
  /** What the moments of AdamW and Muon are kept in between two steps, on a CPU: bf16 rounded by chance, int8 in blocks. Default `fp32`. */
  momentsPrecision: {
    kind: 'choice',
    choices: MOMENTS_PRECISIONS,
    default: 'fp32',
    betweenMachines: false,
    help: "what the optimiser's moments are kept in; bf16 takes half of their memory and checkpoints, int8 a quarter",
  },
  /** The largest global norm of a gradient; 0 for none. Default 1. */
  clip: { kind: 'notNegative', default: 1, help: 'largest norm of a gradient, 0 for none' },
  /** Sequences of a micro-batch, per replica; 2 where `from` names a model that learns conversations. Default 12. */
  batchSize: {
    kind: 'count',
    default: 12,
    help: 'sequences of a micro-batch, per replica',
    otherwise: '12; of --objective chat with --from 2',
  },
  /** Micro-batches of a step, per replica. Default 1. */
  gradAccum: { kind: 'count', default: 1, help: 'micro-batches of a step, per replica' },
} as const satisfies TrainTable;

const COMPUTING = {
  /** Copies of the model that train side by side; `auto` measures which arrangement is fastest here. Default 1. */
  replicas: {
    kind: 'count',
    or: 'auto',
    default: 1,
    betweenMachines: false,
    help: 'copies that train side by side; auto measures',
  },
  /** Threads of each replica. Default: the machine's cores shared between replicas. */
  threads: {
    kind: 'count',
    help: 'threads of each replica',
    otherwise: 'the cores shared between them',
    betweenMachines: { help: "the coordinator's own threads", otherwise: 'the cores' },
  },
  /** Gigabytes that the run may take: it is trained in the way that costs least of those that fit. Default what is free, without choosing. */
  memory: {
    kind: 'positive',
    value: 'GB',
    resume: 'free',
    betweenMachines: false,
    help: 'gigabytes that the run may take: of the ways to train it that fit, the fastest is taken, and told',
    otherwise: 'what is free, and no other way is taken',
  },
  /** What of the model is on disk, which then is trained layer by layer in little memory. Default none, or what `memory` asks for. */
  offload: {
    kind: 'choice',
    choices: OFFLOADS,
    otherwise: 'none, or what --memory asks for',
    betweenMachines: false,
    help:
      "train layer by layer, with the optimiser's moments, all of the model, or its hidden states too, on disk, in the run's " +
      'folder',
  },
  /** What replicas that make one joint step share out: 1 the optimiser's moments, 2 gradients too, 3 parameters as well (ZeRO's stages). Default 0. */
  zero: {
    kind: 'whole',
    most: 3,
    default: 0,
    resume: 'free',
    betweenMachines: false,
    help: "what replicas share out: 1 the optimiser's moments, 2 gradients too, 3 parameters as well; implies --sync-every 1",
  },
  /** Where to compute. Default `auto`. */
  device: {
    kind: 'choice',
    choices: DEVICE_CHOICES,
    default: 'auto',
    betweenMachines: false,
    help: 'where to compute',
  },
} as const satisfies TrainTable;

const AVERAGING = {
  /** H: inner steps between two averages; 1 averages gradients. Default 5 for several replicas that Muon trains, else 25. */
  syncEvery: {
    kind: 'count',
    value: 'h',
    help: 'inner steps between averages, 1 averages gradients',
    otherwise: '5 for several replicas by Muon, else 25',
    betweenMachines: { help: 'inner steps between averages, 1 averages gradients', default: 25, otherwise: '25' },
  },
  /** The outer optimiser. Default `average` where Muon trains, else `nesterov`. */
  outer: {
    kind: 'choice',
    choices: OUTERS,
    help: 'outer optimiser',
    otherwise: 'average with Muon, else nesterov',
  },
  /** The rate of `nesterov`. Default 0.7. */
  outerLr: { kind: 'positive', default: 0.7, help: 'outer learning rate' },
  /** The momentum of `nesterov`, from 0 to below 1. Default 0.7. */
  outerMomentum: { kind: 'part', default: 0.7, help: 'outer momentum, from 0 to below 1' },
  /** What becomes of AdamW's moments at a round's end. Default `average`. */
  moments: {
    kind: 'choice',
    choices: MOMENTS,
    default: 'average',
    help: "AdamW's moments at a round's end",
    // Averaging them would cost three times the bytes.
    betweenMachines: { help: "AdamW's moments at a round's end", default: 'keep' },
  },
} as const satisfies TrainTable;

/** What `train` takes beside its corpus, by the headings of its help. */
export const TRAIN_GROUPS: Readonly<Record<string, TrainTable>> = {
  Run: RUN,
  Model: MODEL,
  Data: DATA,
  Length: LENGTH,
  Optimiser: OPTIMISER,
  Computing: COMPUTING,
  Averaging: AVERAGING,
};

/** What `train` takes beside its corpus. */
export const TRAIN_OPTIONS = {
  ...RUN,
  ...MODEL,
  ...DATA,
  ...LENGTH,
  ...OPTIMISER,
  ...COMPUTING,
  ...AVERAGING,
} as const satisfies TrainTable;

/** What `train` takes for a model of one's own beside its module: all that is not about models of text and their data. */
export const OWN_OPTIONS = ((
  { tokens: _tokens, ...length },
  { optimizer: _optimizer, ...optimiser },
  { offload: _offload, ...computing },
) => ({
  ...RUN,
  ...length,
  ...optimiser,
  ...computing,
  ...AVERAGING,
}))(LENGTH, OPTIMISER, COMPUTING) satisfies TrainTable;

/** Options of a run between machines: those of `train`, but for what only replicas on threads can have. */
export function optionsBetweenMachines(table: TrainTable): TrainTable {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, option]) => {
      const { betweenMachines, ...own } = option;
      return betweenMachines === false ? [] : [[name, { ...own, ...betweenMachines }]];
    }),
  );
}
