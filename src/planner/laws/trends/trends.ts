import data from './data.json' with { type: 'json' };
import definitions from './definitions.json' with { type: 'json' };
import { type DoublingTime, fitDoubling, type Selection, type TrendPoint } from './fit.js';

/** A doubling time with what it was fitted to. */
export interface Trend extends DoublingTime {
  readonly key: string;
  readonly title: string;
  /** `efficiency` doubles where the compute that a fixed accuracy takes halves. */
  readonly quantity: 'compute' | 'efficiency';
  /** The first and last day that the fit looks at; the figure depends on this choice. */
  readonly period: readonly [string, string];
  readonly selection: Selection;
  readonly source: string;
  /** What is published for this, or nearly this, choice. */
  readonly published?: { readonly doublingMonths: number; readonly where: string };
}

type Dataset = { readonly source: string; readonly points: readonly (readonly [string, string, number])[] };

/**
 * Doubling times of training compute and of algorithmic efficiency, from shipped data, for several periods and
 * selections: the same data give 3 to 20 months by the choice, so none is stated without it.
 */
export function trends(): Trend[] {
  return (definitions as unknown as readonly (Omit<Trend, keyof DoublingTime | 'source'> & { dataset: string })[]).map(
    ({ dataset, ...definition }) => {
      const { source, points } = (data as unknown as Readonly<Record<string, Dataset>>)[dataset]!;
      const runs: TrendPoint[] = points.map(([model, date, flop]) => ({ model, date, flop }));
      const { period, selection, quantity } = definition;
      return { ...definition, source, ...fitDoubling(runs, period, selection, quantity === 'efficiency') };
    },
  );
}
