import type { OptionsOf } from '../../base/option-table.js';
import { planJson, snakeCase } from '../../planner/report/plan-json.js';
import { planText } from '../../planner/report/plan-text.js';
import { compareBandwidths, type Plan } from '../../planner/run/plan.js';
import type { Context } from '../terminal/context.js';
import { HERE, planFromFlags } from './plan-input.js';
import type { PAGE_FLAGS, PlanFlags } from './plan-options.js';

/** Plans a model on a cluster, and writes the page with charts where one is asked for. */
export async function planModel(
  { html, memory, ...flags }: PlanFlags & OptionsOf<typeof PAGE_FLAGS>,
  { output }: Context,
): Promise<number> {
  const planned = await planFromFlags(flags, memory);
  const here = await hereOf(flags, planned.plan, memory);
  if (html !== undefined) {
    const [{ planPage }, { writeFileAtomic }] = await Promise.all([
      import('../../planner/report/page.js'),
      import('../../base/files/atomic.js'),
    ]);
    await writeFileAtomic(html, planPage(planned.plan, compareBandwidths(planned.plan)));
  }
  output.event({ ...planJson(planned), ...(here && { fit: here.fit && snakeCase(here.fit) }) });
  output.text(planText(planned));
  if (here) output.text(`\nAs \`train --memory\` here:\n${here.text}\n`);
  if (html !== undefined) output.text(`\nWritten: ${html}\n`);
  return 0;
}

/** How `train` would have the model fit, where that was asked or the whole does not. */
async function hereOf({ model, cluster }: PlanFlags, plan: Plan, memory: number | undefined) {
  if (cluster !== HERE || model === undefined || (memory === undefined && plan.step !== null)) return undefined;
  const { fitHere } = await import('./fit-here.js');
  return fitHere(model, plan, plan.cluster.accelerator.memory);
}
