import type { Command } from 'commander';
import { WORKER_OPTIONS } from '../../cluster/join-options.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { count, whole } from '../terminal/values.js';
import type { KubernetesFlags } from './launch-kubernetes.js';
import type { SlurmFlags } from './launch-slurm.js';

/** `meanfield launch`. */
export function defineLaunch(program: Command, start: Start): void {
  const launch = program
    .command('launch')
    .summary('start workers on a cluster')
    .description('Start the workers of a run on a Slurm or Kubernetes cluster. meanfield cluster start invites them.')
    .helpCommand(false);
  defineSlurm(launch, start);
  defineKubernetes(launch, start);
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
  addOptions(slurm, WORKER_OPTIONS);
  slurm.action((invitation: string, options: SlurmFlags) =>
    start(async (context) => (await import('./launch-slurm.js')).launchSlurm(invitation, options, context)),
  );
  const scale = slurm
    .command('scale')
    .summary('change the number of workers')
    .description('Bring a group to N workers: another array for more, the latest cancelled for fewer.')
    .argument('<job>', 'number or name of the job')
    .argument('<n>', 'workers that shall wait or run', whole)
    .action((job: string, workers: number) =>
      start(async (context) => (await import('./launch-slurm.js')).scaleSlurm(job, workers, context)),
    );
  const cancel = slurm
    .command('cancel')
    .summary('tell all workers of a job to leave')
    .description('Tell every worker of a group to leave the run. What they have contributed counts.')
    .argument('<job>', 'number or name of the job')
    .action((job: string) => start(async (context) => (await import('./launch-slurm.js')).cancelSlurm(job, context)));
  finish(scale, ['meanfield launch slurm scale 4711 16']);
  finish(cancel, ['meanfield launch slurm cancel 4711']);
  finish(slurm, [
    'meanfield launch slurm INVITATION --workers 8 --cpus 4 --memory 8G --time 2:00:00',
    'meanfield launch slurm INVITATION --workers 4 --partition gpu --device cuda --sbatch=--gres=gpu:1 --follow',
    'meanfield launch slurm scale 4711 16',
    'meanfield launch slurm cancel 4711',
  ]);
}

function defineKubernetes(launch: Command, start: Start): void {
  const kubernetes = launch
    .command('kubernetes')
    .summary('write manifests for Kubernetes')
    .description(
      'Write manifests for kubectl apply: workers for a run that exists, by its invitation, or with --corpus all of ' +
        'it: the coordinator with its NATS server, workers. docs/kubernetes.md shows it from zero.',
    )
    .argument('[invitation]', 'what meanfield cluster start printed; with --corpus there is none yet')
    .usage('[options] <invitation> | --corpus <file>')
    .optionsGroup('Workers:')
    .option('--workers <n>', 'pods of the indexed Job', count, 1)
    .option('--cpus <n>', 'cores of each worker', count, 4)
    .option('--memory <size>', 'memory of each worker', '4Gi')
    .option('--gpus <n>', 'GPUs of each worker', whole, 0);
  addOptions(kubernetes, WORKER_OPTIONS);
  kubernetes
    .optionsGroup('Objects:')
    .requiredOption('--image <name>', 'container image with meanfield on its PATH')
    .option('--name <name>', 'begins the name of every object', 'meanfield')
    .option('--namespace <name>', 'namespace (default: that of kubectl)')
    .option('--out <file>', 'where the manifests go (default: standard output)')
    .optionsGroup('Coordinator, with --corpus:')
    .option('--corpus <file>', 'what to learn from; may be given again with --corpus-claim', collect)
    .option('--corpus-claim <name>', 'PersistentVolumeClaim that holds the corpus; --corpus are paths on it')
    .option('--start <options>', 'options of meanfield cluster start, such as "--preset mini --steps 5000"')
    .option('--nats-image <name>', 'image that nats-server is taken from', 'nats:2.11-alpine')
    .option('--storage <size>', "volume of the run folder, with the server's", '10Gi')
    .option('--storage-class <name>', "class of this volume (default: the cluster's)")
    .optionsGroup('Output:')
    .action((invitation: string | undefined, options: KubernetesFlags) =>
      start(async (context) => (await import('./launch-kubernetes.js')).launchKubernetes(invitation, options, context)),
    );
  finish(kubernetes, [
    'meanfield launch kubernetes INVITATION --workers 8 --image registry.example/meanfield | kubectl apply -f -',
    'meanfield launch kubernetes --corpus book.txt --workers 4 --image registry.example/meanfield --out run.yaml',
  ]);
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
