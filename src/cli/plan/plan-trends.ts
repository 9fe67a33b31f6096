import { writeFileAtomic } from '../../base/files/atomic.js';
import type { OptionsOf } from '../../base/option-table.js';
import { trends } from '../../planner/laws/trends/trends.js';
import { escapeMarkup } from '../../planner/report/markup.js';
import { page } from '../../planner/report/page.js';
import { snakeCase } from '../../planner/report/plan-json.js';
import { trendPlot, trendsSvg, trendsTable } from '../../planner/report/trends/index.js';
import type { Context } from '../terminal/context.js';
import type { TRENDS_FLAGS } from './plan-options.js';

/** Tells doubling times, draws them in the terminal, and writes a page where one is asked for. */
export async function showTrends({ html }: OptionsOf<typeof TRENDS_FLAGS>, { output }: Context): Promise<number> {
  const all = trends();
  if (html !== undefined) {
    const svg = `<section>${trendsSvg(all)}</section>`;
    const title = 'Doubling times of training compute and algorithmic efficiency';
    await writeFileAtomic(
      html,
      page(title, [`<h1>${title}</h1>`, svg, `<pre>${escapeMarkup(trendsTable(all))}</pre>`]),
    );
  }
  output.event({ type: 'result', trends: all.map((trend) => snakeCase(trend)) });
  const drawn = all.slice(0, 1).map((trend) => `\n${trendPlot(trend)}`);
  output.text(`\n${trendsTable(all)}${drawn.join('')}`);
  if (html !== undefined) output.text(`\nWritten: ${html}\n`);
  return 0;
}
