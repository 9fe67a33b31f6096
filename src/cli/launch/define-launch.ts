import type { Command } from 'commander';
import { addGroups, addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { whole } from '../terminal/values.js';
import { KUBERNETES_GROUPS, type KubernetesFlags, SLURM_OPTIONS, type SlurmFlags } from './launch-options.js';

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
    .helpCommand(false);
  addOptions(slurm, SLURM_OPTIONS);
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
    .usage('[options] <invitation> | --corpus <file>');
  addGroups(kubernetes, KUBERNETES_GROUPS)
    .optionsGroup('Output:')
    .action((invitation: string | undefined, options: KubernetesFlags) =>
      start(async (context) => (await import('./launch-kubernetes.js')).launchKubernetes(invitation, options, context)),
    );
  finish(kubernetes, [
    'meanfield launch kubernetes INVITATION --workers 8 --image registry.example/meanfield | kubectl apply -f -',
    'meanfield launch kubernetes --corpus book.txt --workers 4 --image registry.example/meanfield --out run.yaml',
  ]);
}
