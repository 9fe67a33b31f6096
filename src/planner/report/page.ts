import { thousands } from '../../base/thousands.js';
import type { BandwidthReport, Plan } from '../run/plan.js';
import { devices } from '../search/index.js';
import { arrangementText } from './arrangement.js';
import { bandwidthChart, frontChart, memoryChart, timeChart } from './charts.js';
import { escapeMarkup } from './markup.js';
import { estimatesOf } from './parts.js';
import { reasonLost } from './reason.js';
import { STYLE } from './style.js';
import { bits, dollars, percent, quantity, range, time } from './units.js';

/**
 * A page about a plan with its charts: memory and time by part, cost against days, utilisation against bandwidth. It is
 * whole in itself: no script, no network.
 *
 * @param bandwidths what `compareBandwidths` found; `null` leaves that chart out
 *
 * @category Planning a machine
 */
export function planPage(plan: Plan, bandwidths: BandwidthReport | null): string {
  const { model, cluster, step } = plan;
  const title = `${model.name} on ${cluster.name}`;
  return page(title, [
    `<h1>${escapeMarkup(title)}</h1>`,
    `<p class="dim">${escapeMarkup(subtitle(plan))}</p>`,
    step === null ? '<p>It does not fit in any arrangement.</p>' : facts(plan),
    `<div class="charts">${charts(plan, bandwidths).join('')}</div>`,
    alternatives(plan),
    assumed(plan),
  ]);
}

/** An HTML document around a body. @param body markup */
export function page(title: string, body: readonly string[]): string {
  return (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    `<title>${escapeMarkup(title)}</title>\n<style>\n${STYLE}\n</style>\n</head>\n<body>\n${body.join('\n')}\n</body>\n</html>\n`
  );
}

function subtitle({ model, cluster, tokens, fixed }: Plan): string {
  const nodes = Math.ceil(cluster.accelerators / cluster.perNode);
  return (
    `${quantity(model.parameters)} parameters, ${quantity(tokens)} tokens, ${thousands(fixed.globalBatch)} ` +
    `sequences of ${thousands(fixed.sequence)} a step in ${fixed.precision}; ` +
    `${thousands(cluster.accelerators)} × ${cluster.accelerator.name}, ${thousands(nodes)} ${nodes > 1 ? 'nodes' : 'node'}` +
    (nodes > 1 ? `, ${bits(cluster.interNode)} each` : '')
  );
}

function facts({ step, run, accelerators, method, averaging, search, options, loss, interval }: Plan): string {
  const chosen = options.find((option) => option.run === run)?.candidate ?? search.best;
  const arrangement = method === 'averaging' ? averaging!.inner.arrangement : chosen!.arrangement;
  const replicas =
    method === 'averaging'
      ? `${averaging!.replicas} replicas averaged every ${averaging!.method.innerSteps} steps, each `
      : '';
  const within = (value: number | null, write: (value: number) => string): string =>
    value === null || interval === null ? '' : ` (${range(value, interval, write)})`;
  const entries: [string, string][] = [
    ['time', run === null ? 'unknown' : `${time(run.seconds)}${within(run.seconds, time)}`],
    ['cost', `${dollars(run?.usd ?? null)}${within(run?.usd ?? null, dollars)}`],
    ['accelerators', thousands(accelerators)],
    ['a step', `${time(step!.time.total)}${within(step!.time.total, time)}`],
    ['utilisation', percent(step!.utilization)],
    ['goodput', run === null ? 'unknown' : percent(run.goodput)],
    ['energy', run === null ? 'unknown' : `${quantity(run.energy.kilowattHours * 1000)}Wh`],
    ['expected loss', loss.expected.toFixed(3)],
  ];
  const list = entries.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeMarkup(value)}</dd></div>`).join('');
  return `<p>${escapeMarkup(replicas + arrangementText(arrangement))}</p>\n<dl class="facts">${list}</dl>`;
}

function charts(plan: Plan, bandwidths: BandwidthReport | null): string[] {
  const { step, options, averaging, run, accelerators, method } = plan;
  const averaged = method === 'averaging' && run !== null ? { run, accelerators } : null;
  const sections: string[] = [];
  const add = (title: string, chart: string, note = '') =>
    sections.push(
      `<section><h2>${title}</h2>${chart}${note === '' ? '' : `<p class="dim">${escapeMarkup(note)}</p>`}</section>`,
    );
  if (step !== null) {
    add('Memory of a device', memoryChart(step.memory));
    add('Time of a step', timeChart(step.time));
  }
  if (options.length > 1)
    add('Cost against days', frontChart(options, averaged), frontNote(averaged === null ? null : averaging));
  if (bandwidths !== null && averaging !== null) {
    add('Utilisation against bandwidth', bandwidthChart(bandwidths, plan), winsNote(bandwidths));
  }
  return sections;
}

function frontNote(averaging: Plan['averaging']): string {
  const note = 'Beside each point: accelerators. Runs that another beats in both are left out.';
  if (averaging === null) return note;
  const factor = averaging.tokenFactor;
  const price = Number.isFinite(factor)
    ? `the same loss takes ${factor.toFixed(2)}× of them`
    : 'no number of them comes to the same loss';
  return `${note} Averaging is shown at equal tokens; ${price}.`;
}

function winsNote({ averagingWins }: BandwidthReport): string {
  if (averagingWins === null)
    return 'At no bandwidth does averaging come to the same loss a tenth sooner than an exchange every step.';
  const { from, to } = averagingWins;
  const range = `${from === 0 ? 'the slowest line' : bits(from)} to ${to === Number.POSITIVE_INFINITY ? 'the fastest' : bits(to)}`;
  return `Shaded, ${range}: averaging comes to the same loss a tenth sooner or more, the tokens that its gap costs counted in.`;
}

function alternatives({ search }: Plan): string {
  const rows = search.strategies.map((result) => {
    const { strategy, arrangement, prediction } = result;
    const isBest = prediction.fits && prediction.time.total === search.best?.prediction.time.total;
    return [
      escapeMarkup(strategy),
      prediction.fits ? time(prediction.time.total) : 'does not fit',
      thousands(devices(arrangement)),
      escapeMarkup(arrangementText(arrangement)),
      escapeMarkup(isBest ? 'fastest' : reasonLost(result, search.best)),
    ];
  });
  const head =
    '<tr><th>best of each kind</th><th class="n">a step</th><th class="n">devices</th><th>arrangement</th><th>why it loses</th></tr>';
  const body = rows.map(
    ([a, b, c, d, e]) =>
      `<tr><td>${a}</td><td class="n">${b}</td><td class="n">${c}</td><td>${d}</td><td>${e}</td></tr>`,
  );
  const counted = `${thousands(search.considered)} arrangements considered, ${thousands(search.evaluated)} of them predicted.`;
  return `<section><h2>Why the alternatives lose</h2><div class="table"><table>${head}${body.join('')}</table></div><p class="dim">${counted}</p></section>`;
}

function assumed({ assumptions, warnings, cluster, framework, averaging, loss }: Plan): string {
  const lines = [
    ...warnings.map((warning) => `Warning: ${warning}`),
    ...assumptions,
    `Kernels reach ${percent(framework.efficiency)} of the roofline (${framework.name}, ${framework.efficiencySource}).`,
    `Loss: ${loss.source}.`,
    ...estimatesOf(cluster.sources),
    ...(averaging?.quality.sources ?? []),
  ];
  return `<section><h2>Assumed</h2><ul>${lines.map((line) => `<li>${escapeMarkup(line)}</li>`).join('')}</ul></section>`;
}
