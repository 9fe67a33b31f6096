import { UsageError } from '../../base/errors.js';

/** What a job of elastic workers needs. */
export interface SlurmJob {
  /** Names the group: every array that is submitted for it bears this name. */
  readonly name: string;
  /** Absolute path of a folder that the machines share: the script, the invitation and the logs lie there. */
  readonly folder: string;
  /** The file with the invitation: the command line of a process is for all to see, a file of mode 600 is not. */
  readonly invitation: string;
  readonly workers: number;
  /** Cores of each worker. */
  readonly cpus: number;
  /** Memory of each worker, as Slurm takes it: `8G`. */
  readonly memory?: string | undefined;
  /** Longest time of a task, as Slurm takes it: `2:00:00`. A worker that reaches it takes its place in the queue again. */
  readonly time?: string | undefined;
  readonly partition?: string | undefined;
  /** Further options of sbatch, each as it would be typed: `--account=physics`. */
  readonly sbatch?: readonly string[] | undefined;
  /** The program and its first arguments: Node and the command line's file. */
  readonly program: readonly string[];
  /** Options of `meanfield join`. */
  readonly join: readonly string[];
}

/** How often a worker that dies is started in one place, seconds apart: Slurm lets what is requeued wait two minutes. */
const LIVES = 5;
const PAUSE = 2;
/** How often a task whose worker fails so is put back into the queue. */
const RESTARTS = 20;
/** Seconds before the time limit at which a worker is told to leave. */
const NOTICE = 60;

/**
 * The batch script of an array of workers, one task each. It leaves the run politely when Slurm ends it, goes back into
 * the queue when its time is over or its worker dies again and again, and stays away when the run is over.
 *
 * @throws UsageError when a value cannot stand in a script
 */
export function slurmScript(job: SlurmJob): string {
  const directives = [
    `--job-name=${job.name}`,
    `--array=0-${job.workers - 1}`,
    '--nodes=1',
    '--ntasks=1',
    `--cpus-per-task=${job.cpus}`,
    ...(job.memory === undefined ? [] : [`--mem=${job.memory}`]),
    ...(job.time === undefined ? [] : [`--time=${job.time}`]),
    ...(job.partition === undefined ? [] : [`--partition=${job.partition}`]),
    // %A and %a are the array's number and the task's; a % of the folder's own is doubled.
    `--output="${job.folder.replaceAll('%', '%%')}/%A_%a.log"`,
    '--open-mode=append',
    '--requeue',
    `--signal=B:USR1@${NOTICE}`,
    ...(job.sbatch ?? []),
  ];
  for (const value of [...directives, ...job.program, ...job.join, job.invitation]) checkLine(value);
  if (/["\\]/.test(job.folder))
    throw new UsageError(`The folder of a Slurm job may hold no quotes and no backslashes; got ${job.folder}.`);
  const program = [...job.program, 'join'].map(quote).join(' ');
  return `#!/bin/bash
${directives.map((line) => `#SBATCH ${line}`).join('\n')}
# Written by meanfield launch slurm: one elastic worker of a run.
set -u
ending=''
worker=''
# USR1: the time is nearly over. TERM: cancelled, or pre-empted, and then Slurm itself puts the task back.
trap 'ending=time; [ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null' USR1
trap 'ending=told; [ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null' TERM INT
for life in ${Array.from({ length: LIVES }, (_, i) => i + 1).join(' ')}; do
  ${program} -${job.join.map((word) => ` ${quote(word)}`).join('')} < ${quote(job.invitation)} &
  worker=$!
  while :; do
    wait "$worker"
    code=$?
    # A signal ends the wait, not the worker.
    kill -0 "$worker" 2>/dev/null || break
  done
  worker=''
  # 0: the run is over. 2: used wrongly, 3: evicted; trying again mends neither.
  case "$code" in
    0) ending="\${ending:-over}" ;;
    2 | 3) ending=over ;;
  esac
  if [ "$ending" != '' ]; then break; fi
  echo "the worker ended with $code" >&2
  sleep ${PAUSE}
  if [ "$ending" != '' ]; then break; fi
done
if [ "$ending" = told ] || [ "$ending" = over ]; then exit "$code"; fi
# Here it may be the machine's fault: another one may do better.
if [ "$ending" = '' ] && [ "\${SLURM_RESTART_COUNT:-0}" -ge ${RESTARTS} ]; then
  echo "the worker still fails after ${RESTARTS} times in the queue; giving up" >&2
  exit "$code"
fi
echo "back into the queue" >&2
scontrol requeue "$SLURM_JOB_ID"
exit "$code"
`;
}

/** A word as a shell takes it. */
function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function checkLine(value: string): void {
  if (/[\n\r\0]/.test(value))
    throw new UsageError(`A value of a Slurm job must be one line; got ${JSON.stringify(value)}.`);
}
