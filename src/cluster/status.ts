import type { WaitingFor } from './events.js';

/** What `cluster status` shows: JSON, as the coordinator answers it. Clocks are never compared: spans only, in seconds. */
export interface ClusterStatus {
  readonly run: string;
  readonly version: string;
  readonly phase: 'gathering' | 'training' | 'merging' | 'stopped';
  /** The last committed round. */
  readonly committed: { readonly round: number; readonly hash: string };
  /** The round in progress. */
  readonly round: number | null;
  /** Committed inner steps per replica. */
  readonly step: number;
  readonly totalSteps: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  readonly trainLoss: number | null;
  readonly valLoss: number | null;
  readonly waiting: WaitingFor | null;
  readonly workers: readonly WorkerLine[];
  /** Machines that wait for a person's approval. */
  readonly asking: readonly AskingLine[];
  readonly evicted: readonly string[];
  /** The last ones, newest first. */
  readonly refusals: readonly {
    readonly worker: string;
    readonly about: string;
    readonly code: string;
    readonly reason: string;
    readonly secondsAgo: number;
  }[];
  /** How much of the epoch in progress is committed, 0 to 1, and which epoch that is, from 0. */
  readonly data: { readonly epoch: number; readonly committed: number; readonly leased: number };
  readonly seconds: number;
}

/** A machine that a person must approve. */
export interface AskingLine {
  /** By which it is approved or refused. */
  readonly id: string;
  /** What it calls itself. */
  readonly host: string;
  /** Where the server sees it; null: it does not tell. */
  readonly address: string | null;
  readonly replicas: number;
  /** For which it has waited. */
  readonly seconds: number;
}

/** A worker, as the coordinator sees it. */
export interface WorkerLine {
  readonly worker: string;
  readonly host: string;
  readonly status: 'joined' | 'syncing' | 'ready';
  /** In the round in progress. */
  readonly inRound: 'training' | 'contributed' | 'left' | 'refused' | null;
  readonly steps: number | null;
  /** Inner steps a second; null: not measured yet. */
  readonly speed: number | null;
  readonly tokens: number;
  readonly rounds: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly silentSeconds: number;
  /** Why something of it was refused last. */
  readonly refused: string | null;
}

/** What `cluster audit` shows: losses on held-out windows, in nats per token; null: not finite. */
export interface ClusterAudit {
  readonly worker: string;
  readonly round: number;
  /** Whether the round is committed; while it is not, `committed_loss` is `base_loss`. */
  readonly committed: boolean;
  /** Of what the round began from. */
  readonly base_loss: number | null;
  /** Of what the worker alone made of it: the base minus its pseudo-gradient. */
  readonly contribution_loss: number | null;
  /** Of the last committed parameters. */
  readonly committed_loss: number | null;
  /** That the worker says it has trained on. */
  readonly tokens: number;
  /** Euclidean norm of the pseudo-gradient, as it was found, and as the worker told it. */
  readonly norm: number;
  readonly told_norm: number;
  readonly windows: number;
}
