import { createLedger, type EpochRange } from '../../data/ledger/index.js';
import { type Contribute, createRounds, machineOptions } from '../../rounds/index.js';
import type { BlobRef } from '../../transport/transport.js';
import { planRun } from './plan.js';
import { BEGINNING, type RunState } from './run-state.js';
import { leasedTo, type RunContext, type RunInput, type RunStep, stepRun } from './step-run.js';

/** A hash that looks like one. */
export const hashOf = (n: number): string => String(n).padStart(64, '0');

export const refOf = (key: string): BlobRef => ({ key, bytes: 1, chunks: 1, hash: hashOf(7) });

/** Sample n weighs n + 1. */
export function weightOf(samples: readonly EpochRange[]): number {
  return samples.reduce((sum, { start, end }) => sum + ((start + 1 + end) * (end - start)) / 2, 0);
}

/** A run of workers that do 4 steps of 2 samples, 10 tokens each, to the 12th step or another. */
export function contextOf(fragments = 1, last = 12): RunContext {
  const options = { steps: last, tokens: undefined, minutes: undefined, untilLoss: undefined };
  return { plan: planRun(options, 20, 2), samplesPerStep: 2, tokensPerStep: 20, weigh: weightOf, steps: 4, fragments };
}

export function firstState(minimumMembers = 2): RunState {
  return {
    format: 'meanfield-cluster',
    version: 1,
    rounds: createRounds({
      run: 'r',
      layout: { hash: 'layout', length: 4 },
      committed: { round: 0, hash: hashOf(0) },
      options: machineOptions({ steps: 4, minimumMembers, adaptiveSteps: false, outlierFactor: null }),
      now: 0,
    }),
    ledger: createLedger({ samples: 50, seed: 1 }),
    configuration: refOf('run/configuration'),
    chain: { snapshot: { round: 0, hash: hashOf(0), manifest: refOf('run/s/0/list') }, results: [] },
    ...BEGINNING,
  };
}

/** A run that is told things one after another. */
export class Play {
  state: RunState;
  last!: RunStep;
  now = 0;

  constructor(
    readonly context = contextOf(),
    state = firstState(),
  ) {
    this.state = state;
  }

  happen(input: RunInput): RunStep {
    this.last = stepRun(this.context, this.state, input, this.now);
    this.state = this.last.state;
    return this.last;
  }

  join(worker: string): void {
    const sender = { run: 'r', worker, incarnation: 0 };
    this.happen({ type: 'event', event: { type: 'join', ...sender, layoutHash: 'layout', stepsPerSecond: null } });
    this.report(worker);
  }

  report(worker: string): RunStep {
    const { committed, round, open } = this.state.rounds;
    const closed = open === null ? round : open.round - 1;
    const event = { type: 'report', run: 'r', worker, incarnation: 0, round: committed.round, closed } as const;
    return this.happen({ type: 'event', event: { ...event, hash: committed.hash } });
  }

  contribute(worker: string, steps = 4, loss = 2, changes: Partial<Contribute> = {}): RunStep {
    const { round } = this.state.rounds.open!;
    const weight = weightOf(leasedTo(this.state.ledger, worker, round));
    const event: Contribute = {
      type: 'contribution',
      ...{ run: 'r', worker, incarnation: 0, round, tokens: steps * 20, weight, steps, seconds: 1 },
      ...{ baseHash: this.state.rounds.committed.hash, layoutHash: 'layout', length: 4, finite: true, norm: 1 },
      contentHash: hashOf(7),
      ...changes,
    };
    return this.happen({ type: 'contribution', event, manifest: refOf(`${worker}/c/${round}/0/list`), loss });
  }

  merged(): RunStep {
    const { round } = this.state.rounds.open!;
    const event = { type: 'merged', round, hash: hashOf(round) } as const;
    return this.happen({ type: 'merged', event, manifest: refOf(`run/r/${round}/x/list`) });
  }
}
