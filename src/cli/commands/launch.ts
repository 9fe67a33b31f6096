import { type Command, Option } from 'commander';
import { finish } from '../common-options.js';
import type { Start } from '../context.js';
import { count, whole } from '../values.js';

/** Options of `meanfield launch slurm`, as commander gives them. */
export interface SlurmFlags extends JoinFlags {
  readonly workers: number;
  readonly cpus: number;
  readonly memory?: string;
  readonly time?: string;
  readonly partition?: string;
  readonly sbatch?: readonly string[];
  readonly folder: string;
  readonly follow?: true;
  readonly dryRun?: true;
}

/** What goes on to `meanfield join`. */
export interface JoinFlags {
  readonly replicas: number;
  readonly threads?: number;
  readonly device?: string;
}

/** `meanfield launch`. */
export function defineLaunch(program: Command, start: Start): void {
  const launch = program
    .command('launch')
    .summary('start workers on a cluster')
    .description('Start the workers of a run on a Slurm or Kubernetes cluster. meanfield cluster start invites them.')
    .helpCommand(false);
  defineSlurm(launch, start);
  finish(launch, [
    'meanfield launch slurm INVITATION --workers 8 --cpus 4',
    'meanfield launch kubernetes INVITATION --workers 8 --image registry.example/meanfield',
  ]);
}

function defineSlurm(launch: Command, start: Start): void {
  const slurm = launch
    .command('slurm')
    .summary('submit workers to Slurm, follow, scale, cancel them')
    .description(
      'Submit an array of elastic workers to Slurm: each joins the run when it starts, leaves it politely when its ' +
        'time is over, and takes its place in the queue again until the run ends.',
    )
    .argument('<invitation>', 'what meanfield cluster start printed')
    .usage('[options] <invitation>')
    .helpCommand(false)
    .option('--workers <n>', 'tasks of the array', count, 1)
    .option('--cpus <n>', 'cores of each worker', count, 4)
    .option('--memory <size>', 'memory of each worker, such as 8G (default: as Slurm is set up)')
    .option('--time <limit>', 'longest time of a task, such as 2:00:00 (default: as Slurm is set up)')
    .option('--partition <name>', 'partition (default: as Slurm is set up)')
    .option('--sbatch <option>', 'further option of sbatch, such as --account=physics; may be given again', collect)
    .option('--folder <path>', 'for script, invitation and logs; the machines must share it', 'slurm')
    .option('--follow', 'tell how the workers stand until none is left')
    .option('--dry-run', 'print the script and submit nothing');
  joinOptions(slurm);
  slurm.action((invitation: string, options: SlurmFlags) =>
    start(async (context) => (await import('../work/launch-slurm.js')).launchSlurm(invitation, options, context)),
  );
  const scale = slurm
    .command('scale')
    .summary('change the number of workers')
    .description('Bring a group to N workers: another array for more, the latest cancelled for fewer.')
    .argument('<job>', 'number or name of the job')
    .argument('<n>', 'workers that shall wait or run', whole)
    .action((job: string, workers: number) =>
      start(async (context) => (await import('../work/launch-slurm.js')).scaleSlurm(job, workers, context)),
    );
  const cancel = slurm
    .command('cancel')
    .summary('tell all workers of a job to leave')
    .description('Tell every worker of a group to leave the run. What they have contributed counts.')
    .argument('<job>', 'number or name of the job')
    .action((job: string) =>
      start(async (context) => (await import('../work/launch-slurm.js')).cancelSlurm(job, context)),
    );
  finish(scale, ['meanfield launch slurm scale 4711 16']);
  finish(cancel, ['meanfield launch slurm cancel 4711']);
  finish(slurm, [
    'meanfield launch slurm INVITATION --workers 8 --cpus 4 --memory 8G --time 2:00:00',
    'meanfield launch slurm INVITATION --workers 4 --partition gpu --device cuda --sbatch=--gres=gpu:1 --follow',
    'meanfield launch slurm scale 4711 16',
    'meanfield launch slurm cancel 4711',
  ]);
}

/** Options that every worker is started with. */
function joinOptions(command: Command): void {
  command
    .option('--replicas <n>', 'replicas of each worker', count, 1)
    .option('--threads <n>', "threads of each replica (default: the worker's cores shared between them)", count)
    .addOption(
      new Option('--device <name>', 'where to compute (default: auto)').choices(['cpu', 'webgpu', 'cuda', 'auto']),
    );
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
