import { thousands } from '../base/thousands.js';
import { computeOptimal } from '../planner/laws/optimum.js';
import { closeLogAxis, rangeAxis } from '../planner/report/axis.js';
import { lineChart, PLOT, type Series } from '../planner/report/lines.js';
import { escapeMarkup } from '../planner/report/markup.js';
import { page } from '../planner/report/page.js';
import { quantity } from '../planner/report/units.js';
import { type GapPoint, gapOf } from './gap-fit.js';
import type { ReportedRun, ScaleReport } from './report.js';

/** Of the line of a frontier. */
const FRONTIER_POINTS = 24;

/** A page about a ladder, whole in itself: curves, fit, frontier, prediction and truth, and what more would buy. */
export function scalePage(report: ScaleReport): string {
  const { law, corpus } = report;
  const title = `Scaling law ${law.name}`;
  return page(title, [
    `<h1>${escapeMarkup(title)}</h1>`,
    `<p class="dim">${escapeMarkup(`${law.source}. Text: ${corpus.join(', ')}.`)}</p>`,
    `<p>${escapeMarkup(lawText(report))}</p>`,
    facts(report),
    `<div class="charts">${charts(report).join('')}</div>`,
    next(report),
    averaging(report),
    runsTable(report),
  ]);
}

function lawText({ law, result }: ScaleReport): string {
  const { E, A, B, alpha, beta } = law;
  const [e, a, b] = [E, A, B].map((value) => String(Number(value.toPrecision(4))));
  const errors = result.rmse === undefined ? '' : ` Root mean square error ${result.rmse.toPrecision(2)}.`;
  return `L = ${e} + ${a} / N^${alpha.toFixed(3)} + ${b} / D^${beta.toFixed(3)}, N parameters, D tokens.${errors}`;
}

function facts({ result }: ScaleReport): string {
  const { prediction, truths } = result;
  if (prediction === undefined) return '';
  const entries: [string, string][] = [
    ['predicted', prediction.loss.toFixed(4)],
    ['interval of 90 %', `${prediction.low.toFixed(4)} to ${prediction.high.toFixed(4)}`],
    ...truths.flatMap(({ seed, loss, error, inside }): [string, string][] => [
      [`trained, seed ${seed}`, loss.toFixed(4)],
      [
        'prediction beside it',
        `${error < 0 ? '−' : '+'}${(100 * Math.abs(error)).toFixed(2)} %, ${inside ? 'inside' : 'outside'}`,
      ],
    ]),
  ];
  return `<dl class="facts">${entries.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

const loss3 = (value: number) => String(Number(value.toFixed(3)));
const flopOf = ({ parameters, tokens }: { readonly parameters: number; readonly tokens: number }) =>
  6 * parameters * tokens;
const named = (parameters: number) => `${thousands(parameters)} parameters`;

function charts(report: ScaleReport): string[] {
  const section = (title: string, chart: string, note: string) =>
    `<section><h2>${title}</h2>${chart}<p class="dim">${escapeMarkup(note)}</p></section>`;
  return [
    section(
      'Loss while training',
      curvesChart(report),
      'Training loss of the longest run of each size, and of the predicted one.',
    ),
    section(
      'Loss against tokens',
      tokensChart(report),
      'Held-out loss at the end of each run, and of the predicted one.',
    ),
    section(
      'The frontier',
      frontierChart(report),
      'Held-out loss against compute, 6 N D. The law’s frontier is the least loss that a compute buys; the prediction is drawn from end to end of its interval.',
    ),
  ];
}

/** The runs of each size, shortest first, the predicted one last. */
function bySize({ runs }: ScaleReport): ReportedRun[][] {
  const sizes = [...new Set(runs.map(({ parameters }) => parameters))].sort((a, b) => a - b);
  return sizes.map((size) => runs.filter(({ parameters }) => parameters === size).sort((a, b) => a.tokens - b.tokens));
}

function curvesChart(report: ScaleReport): string {
  const series = bySize(report).map((runs) => ({ name: named(runs[0]!.parameters), points: runs.at(-1)!.curve }));
  return lossChart('Training loss by tokens', 'tokens', series);
}

function tokensChart(report: ScaleReport): string {
  const series = bySize(report).map((runs) => ({
    name: named(runs[0]!.parameters),
    points: runs.map(({ tokens, loss }) => [tokens, loss] as const),
    marks: runs.map(() => ''),
  }));
  return lossChart('Held-out loss by tokens', 'tokens', series);
}

function frontierChart(report: ScaleReport): string {
  const { runs, result, purchases, law } = report;
  const fitted = runs.filter(({ kind }) => kind === 'rung').sort((a, b) => flopOf(a) - flopOf(b));
  const best = fitted.filter((run, i) => fitted.slice(0, i).every(({ loss }) => loss > run.loss));
  const truths = runs.filter(({ kind }) => kind === 'truth');
  const { prediction } = result;
  const series: Series[] = [
    {
      name: 'the law’s frontier, on to ten times the predicted run',
      points: frontier(law, flopOf(fitted[0]!), purchases[1]!.flop),
    },
    {
      name: 'the best of the fitted runs',
      points: best.map((run) => [flopOf(run), run.loss] as const),
      marks: best.map(() => ''),
    },
  ];
  if (prediction)
    series.push({
      name: 'the prediction',
      points: [prediction.low, prediction.loss, prediction.high].map((loss) => [flopOf(prediction), loss] as const),
      marks: ['', '', ''],
    });
  if (truths.length > 0)
    series.push({
      name: 'trained',
      points: truths.map((run) => [flopOf(run), run.loss] as const),
      marks: truths.map(() => ''),
    });
  return lossChart('Held-out loss by compute', 'FLOP', series);
}

/** The least losses by the law, evenly in the logarithm of the compute. */
function frontier(law: ScaleReport['law'], from: number, to: number): (readonly [flop: number, loss: number])[] {
  return Array.from({ length: FRONTIER_POINTS }, (_, i) => {
    const flop = from * (to / from) ** (i / (FRONTIER_POINTS - 1));
    return [flop, computeOptimal({ flop }, law).loss] as const;
  });
}

function lossChart(title: string, xName: string, all: readonly Series[]): string {
  const series = all.filter(({ points }) => points.length > 0);
  const points = series.flatMap((each) => each.points);
  return lineChart({
    title,
    x: closeLogAxis(
      points.map(([x]) => x),
      PLOT.left,
      PLOT.right,
    ),
    y: rangeAxis(
      points.map(([, y]) => y),
      PLOT.bottom,
      PLOT.top,
    ),
    xName,
    yName: 'nats a byte',
    xText: quantity,
    yText: loss3,
    series,
  });
}

function next({ purchases }: ScaleReport): string {
  const rows = purchases.map(({ factor, flop, parameters, tokens, loss, low, high }) => [
    factor === 1 ? 'as much as the predicted run' : `${factor} times that`,
    flop.toExponential(2),
    thousands(Math.round(parameters)),
    quantity(tokens),
    loss.toFixed(4),
    `${low.toFixed(4)} to ${high.toFixed(4)}`,
  ]);
  const [here, ten] = purchases;
  const gain = 1 - ten!.loss / here!.loss;
  const note = `The next factor of ten in compute would buy ${(100 * gain).toFixed(1)} % less loss, if the law holds so far.`;
  return section(
    'What more compute would buy',
    ['compute', 'FLOP', 'best parameters', 'tokens', 'loss', '90 %'],
    rows,
    note,
  );
}

function averaging({ result: { gaps } }: ScaleReport): string {
  if (gaps === undefined) return '';
  const points = (share: number) => `${(100 * share).toFixed(2)} %`;
  const row = (kind: string, { replicas, syncEvery, gap }: GapPoint, by: number) => [
    ...[kind, String(replicas), String(syncEvery), points(gap), points(by), (100 * Math.abs(gap - by)).toFixed(2)],
  ];
  const rows = [
    ...gaps.fitted.map((point) => row('fitted', point, gapOf(gaps.law, point.replicas, point.syncEvery))),
    ...gaps.truths.map((point) => row('predicted', point, point.predicted)),
  ];
  const { scale, replicasExponent, stepsExponent } = gaps.law;
  const note = `gap = ${points(scale)} · (log₂ M)^${replicasExponent.toFixed(2)} · H^${stepsExponent.toFixed(2)}; over one replica with the joint batch, at equal tokens.`;
  return section('What averaging costs', ['runs', 'replicas M', 'H', 'gap', 'by the law', 'points apart'], rows, note);
}

function runsTable({ runs }: ScaleReport): string {
  const rows = runs.map(({ kind, parameters, tokens, rate, seed, loss, expected }) => [
    kind === 'truth' ? 'predicted' : 'fitted',
    thousands(parameters),
    quantity(tokens),
    rate.toPrecision(3),
    String(seed),
    loss.toFixed(4),
    expected.toFixed(4),
    `${expected < loss ? '−' : '+'}${(100 * Math.abs(expected / loss - 1)).toFixed(2)} %`,
  ]);
  const heads = ['run', 'parameters', 'tokens', 'rate', 'seed', 'loss', 'by the law', 'law beside it'];
  return section('The runs', heads, rows, 'Held-out loss, nats a byte.');
}

function section(title: string, heads: readonly string[], rows: readonly (readonly string[])[], note: string): string {
  const cell = (tag: 'td' | 'th') => (text: string, i: number) =>
    `<${tag}${i === 0 ? '' : ' class="n"'}>${escapeMarkup(text)}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`).join('');
  return `<section><h2>${title}</h2><div class="table"><table><tr>${heads.map(cell('th')).join('')}</tr>${body}</table></div><p class="dim">${escapeMarkup(note)}</p></section>`;
}
