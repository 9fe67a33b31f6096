import type { OptionsOf } from '../../base/option-table.js';
import { planJson } from '../../planner/report/plan-json.js';
import { planText } from '../../planner/report/plan-text.js';
import { compareBandwidths } from '../../planner/run/plan.js';
import type { Context } from '../terminal/context.js';
import { planFromFlags } from './plan-input.js';
import type { PAGE_FLAGS, PlanFlags } from './plan-options.js';

/** Plans a model on a cluster, and writes the page with charts where one is asked for. */
export async function planModel(
  { html, ...flags }: PlanFlags & OptionsOf<typeof PAGE_FLAGS>,
  { output }: Context,
): Promise<number> {
  const planned = await planFromFlags(flags);
  if (html !== undefined) {
    const [{ planPage }, { writeFileAtomic }] = await Promise.all([
      import('../../planner/report/page.js'),
      import('../../base/files/atomic.js'),
    ]);
    await writeFileAtomic(html, planPage(planned.plan, compareBandwidths(planned.plan)));
  }
  output.event(planJson(planned));
  output.text(planText(planned));
  if (html !== undefined) output.text(`\nWritten: ${html}\n`);
  return 0;
}
