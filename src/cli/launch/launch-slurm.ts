import { randomBytes } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { optionIssues } from '../../base/option-issues.js';
import { schemaOf } from '../../base/option-schema.js';
import type { OptionsOf, OptionTable, ParsedOf } from '../../base/option-table.js';
import { spelledError } from '../../base/spelling.js';
import { WORKER_OPTIONS, type WorkerFlags } from '../../cluster/join-options.js';
import {
  cancelGroup,
  followGroup,
  groupText,
  type RunSlurm,
  runSlurm,
  type SlurmJob,
  scaleGroup,
  slurmScript,
  submitScript,
  writeSlurmJob,
} from '../../launch/slurm/index.js';
import { decodeInvitation } from '../../transport/trust/invitation.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { SLURM_OPTIONS, type SlurmFlags } from './launch-options.js';

/** Milliseconds between two looks at the queue: Slurm's manuals ask for patience. */
const LOOK = 5000;

/** Writes the batch script and submits it; with `--follow` it tells how the workers stand. */
export async function launchSlurm(
  invitation: string,
  given: SlurmFlags,
  context: Context,
  run: RunSlurm = runSlurm,
): Promise<number> {
  const { output } = context;
  const flags = checked('slurm', SLURM_OPTIONS, given);
  // As in join: from here on the process list does not show it.
  process.title = 'meanfield launch slurm';
  decodeInvitation(invitation);
  const name = `meanfield-${randomBytes(4).toString('hex')}`;
  const folder = resolve(flags.folder);
  const job: SlurmJob = {
    ...flags,
    name,
    folder,
    invitation: join(folder, `${name}.invitation`),
    program: [process.execPath, await realpath(process.argv[1]!)],
    join: joinWords(given, flags.cpus),
  };
  if (flags.dryRun) {
    const script = slurmScript(job);
    output.text(script);
    output.event({ type: 'result', script });
    return 0;
  }
  const script = await writeSlurmJob(job, invitation.replace(/\s/g, ''));
  const array = await submitScript(run, script);
  output.event({ type: 'submitted', job: array, name, script, workers: flags.workers });
  output.note(
    `Submitted job ${array}: ${flags.workers} workers of ${flags.cpus} cores; script and logs in ${folder}.\n` +
      `Scale it: meanfield launch slurm scale ${array} N; end it: meanfield launch slurm cancel ${array}.\n`,
  );
  if (flags.follow) return follow(run, name, array, context);
  output.event({ type: 'result', job: array, name, script, workers: flags.workers });
  return 0;
}

async function follow(run: RunSlurm, name: string, array: string, { output, closed }: Context): Promise<number> {
  const stop = new AbortController();
  const line = new ProgressLine(output);
  const interruption = onInterrupt(output, `no longer following; job ${array} goes on`, () => stop.abort());
  closed.addEventListener('abort', () => stop.abort());
  let states: Readonly<Record<string, number>> = {};
  try {
    for await (const state of followGroup(run, name, LOOK, stop.signal)) {
      states = state.states;
      output.event({ type: 'progress', ...state });
      line.show(groupText(state), true);
    }
  } finally {
    line.end();
    interruption.release();
  }
  output.event({ type: 'result', job: array, name, states, interrupted: stop.signal.aborted });
  if (stop.signal.aborted) return INTERRUPTED;
  output.text(`No worker of job ${array} is left: ${groupText({ states, active: 0, waitingFor: [] })}.\n`);
  return 0;
}

/** Brings a job to so many workers. */
export async function scaleSlurm(
  job: string,
  workers: number,
  { output }: Context,
  run: RunSlurm = runSlurm,
): Promise<number> {
  const scaling = await scaleGroup(run, job, workers);
  output.event({ type: 'result', job, ...scaling });
  const { before, added, cancelled } = scaling;
  if (added !== null) output.text(`${before} workers before; job ${added} adds ${workers - before}.\n`);
  else if (cancelled.length > 0) output.text(`${before} workers before; told to leave: ${cancelled.join(', ')}.\n`);
  else output.text(`There are ${workers} workers already.\n`);
  return 0;
}

/** Tells every worker of a job to leave. */
export async function cancelSlurm(job: string, { output }: Context, run: RunSlurm = runSlurm): Promise<number> {
  const cancelled = await cancelGroup(run, job);
  output.event({ type: 'result', job, cancelled });
  output.text(
    cancelled.length > 0 ? `Told to leave: job ${cancelled.join(', ')}.\n` : `Job ${job} has no workers left.\n`,
  );
  return 0;
}

/** The options of `meanfield join`. Threads are always named: not every cluster confines a job to its cores. */
export function joinWords(flags: WorkerFlags, cpus: number): string[] {
  const { replicas = WORKER_OPTIONS.replicas.default } = flags;
  const threads = flags.threads ?? Math.max(1, Math.floor(cpus / replicas));
  return [
    ...['--replicas', String(replicas), '--threads', String(threads)],
    ...(flags.device === undefined ? [] : ['--device', flags.device]),
    ...(flags.dataFolder ?? []).flatMap((folder) => ['--data-folder', folder]),
    ...(flags.dataHost ?? []).flatMap((host) => ['--data-host', host]),
    ...(flags.maxData === undefined ? [] : ['--max-data', String(flags.maxData)]),
    ...(flags.maxMemory === undefined ? [] : ['--max-memory', String(flags.maxMemory)]),
  ];
}

/** Options with their defaults. @throws UsageError naming each that is wrong */
export function checked<T extends OptionTable>(where: string, table: T, given: OptionsOf<T>): ParsedOf<T> {
  const result = schemaOf(table).safeParse(pickOptions(table, given), { reportInput: true });
  if (result.success) return result.data;
  throw spelledError(
    UsageError,
    (spelling) =>
      `Cannot launch workers with these options: ${optionIssues(result.error, spelling)}.${spelling.help(`launch ${where}`)}`,
  );
}
