import type { Command } from 'commander';
import type { OptionsOf } from '../../base/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { definePlanCalibrate } from './define-plan-calibrate.js';
import { definePlanFit } from './define-plan-fit.js';
import { definePlanLists } from './define-plan-lists.js';
import { definePlanSimulate } from './define-plan-simulate.js';
import { definePlanTop500 } from './define-plan-top500.js';
import { definePlanTrends } from './define-plan-trends.js';
import { definePlanValidate } from './define-plan-validate.js';
import { definePlanOptions, PAGE_FLAGS, type PlanFlags } from './plan-options.js';

/** `meanfield plan` and its commands. */
export function definePlan(program: Command, start: Start): void {
  const command = program
    .command('plan')
    .summary('plan what a model takes on a cluster: fit, arrangement, days, cost')
    .description(
      'Plan the training of a model on a cluster: whether it fits, how it is best arranged, how long it takes and what ' +
        'it costs, and why the alternatives lose. Without --model: the largest model that the limits allow.',
    )
    .usage('[options] | plan <command>');
  addOptions(definePlanOptions(command), PAGE_FLAGS).action((flags: PlanFlags & OptionsOf<typeof PAGE_FLAGS>) =>
    start(async (context) => (await import('./plan.js')).planModel(flags, context)),
  );
  finish(command, [
    'meanfield plan --model turing-nlg-17b --cluster azure-openai-2020',
    'meanfield plan --model llama3-8b --cluster 64xh100 --tokens 1e12 --html plan.html',
    'meanfield plan --model mt-nlg-530b --cluster 2240xa100 --tensor 8 --pipeline 35 --global-batch 1920',
    'meanfield plan --model gpt2 --cluster laptops-16 --method averaging --sync-every 100',
    'meanfield plan --cluster 1024xh100 --budget-usd 1e6',
    'meanfield plan --model gpt2-124m --cluster this --memory 2',
  ]);
  const parts = [
    definePlanValidate,
    definePlanCalibrate,
    definePlanSimulate,
    definePlanFit,
    definePlanTrends,
    definePlanTop500,
  ];
  for (const define of [...parts, definePlanLists]) define(command, start);
}
