import { UsageError } from '../base/errors.js';
import type { Committed, LayoutId, Milliseconds, RoundOptions, RoundsState } from './types.js';

/**
 * Rounds between threads: waits for all, the same H for all, nothing depends on time or on the order of messages, so
 * that curves are bit for bit the same (rule 3).
 */
export function threadOptions(replicas: number, steps: number): RoundOptions {
  return {
    quorum: 1,
    grace: null,
    heartbeatTimeout: null,
    roundTimeout: null,
    outlierFactor: null,
    minimumMembers: replicas,
    steps,
    adaptiveSteps: false,
    idleRounds: 3,
    healAttempts: 3,
    tokensPerStep: null,
    normPerStep: null,
    strikes: 3,
    suspension: null,
  };
}

/** Rounds between machines that differ, come and go; override what the run needs otherwise. */
export function machineOptions(options: Partial<RoundOptions> & { readonly steps: number }): RoundOptions {
  return {
    quorum: 0.5,
    grace: 10_000,
    heartbeatTimeout: 10_000,
    roundTimeout: 600_000,
    outlierFactor: 10,
    minimumMembers: 1,
    adaptiveSteps: true,
    idleRounds: 3,
    healAttempts: 3,
    tokensPerStep: null,
    normPerStep: null,
    strikes: 3,
    suspension: 300_000,
    ...options,
  };
}

/** What a run's rounds start from. */
export interface RoundsStart {
  readonly run: string;
  readonly layout: LayoutId;
  readonly options: RoundOptions;
  /** The coordinator's own parameters, already stored: initialised (round 0) or from a checkpoint (rule 5). */
  readonly committed: Committed;
  readonly now: Milliseconds;
}

/**
 * The state before the first event.
 *
 * @throws UsageError when an option is out of its range
 */
export function createRounds({ run, layout, options, committed, now }: RoundsStart): RoundsState {
  checkOptions(options);
  if (run === '') throw new UsageError('A run needs an id of at least one character; got an empty one.');
  if (committed.hash === '')
    throw new UsageError(
      'Rounds start from committed parameters with a hash; got an empty hash. Store the initial parameters first.',
    );
  return {
    version: 1,
    run,
    options,
    layout,
    steps: options.steps,
    committed,
    round: committed.round,
    phase: 'gathering',
    since: now,
    heardAt: now,
    reportedAt: null,
    pace: 0,
    gaveUp: 0,
    lost: 0,
    open: null,
    workers: [],
    departed: [],
    evicted: [],
    strikes: [],
    suspended: [],
    stopping: false,
  };
}

/** @throws UsageError naming the option, what is allowed and what came */
export function checkOptions(options: RoundOptions): void {
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 1;
  const spanOrNull = (n: number | null) => n === null || (Number.isFinite(n) && n >= 0);
  const positiveOrNull = (n: number | null) => n === null || (Number.isFinite(n) && n > 0);
  const check = (name: keyof RoundOptions, ok: boolean, allowed: string) => {
    if (!ok) throw new UsageError(`Rounds: ${name} must be ${allowed}; got ${options[name]}.`);
  };
  check('quorum', options.quorum > 0 && options.quorum <= 1, 'a share above 0 and up to 1');
  check('grace', spanOrNull(options.grace), 'milliseconds from 0, or null to wait for all');
  check('heartbeatTimeout', positiveOrNull(options.heartbeatTimeout), 'milliseconds above 0, or null for never');
  check('roundTimeout', positiveOrNull(options.roundTimeout), 'milliseconds above 0, or null for never');
  check('outlierFactor', options.outlierFactor === null || options.outlierFactor > 1, 'a factor above 1, or null');
  check('minimumMembers', whole(options.minimumMembers), 'a whole number from 1');
  check('steps', whole(options.steps), 'a whole number from 1');
  check('idleRounds', whole(options.idleRounds), 'a whole number from 1');
  check('healAttempts', whole(options.healAttempts), 'a whole number from 1');
  check('tokensPerStep', options.tokensPerStep === null || whole(options.tokensPerStep), 'a whole number, or null');
  check('normPerStep', positiveOrNull(options.normPerStep), 'a norm above 0, or null for any');
  check('strikes', whole(options.strikes), 'a whole number from 1');
  check('suspension', positiveOrNull(options.suspension), 'milliseconds above 0, or null for never');
}
