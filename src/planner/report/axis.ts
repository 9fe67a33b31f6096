/** An axis of a drawing: where values lie, and where its marks are. */
export interface Axis {
  /** Position of a value on the drawing. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** An axis by powers of ten, from a power below the least to one above the most; marks at each, or at every few. */
export function logAxis(values: readonly number[], from: number, to: number): Axis {
  const finite = values.filter((value) => value > 0 && Number.isFinite(value));
  const logs = finite.length === 0 ? [0] : finite.map(Math.log10);
  const low = Math.floor(Math.min(...logs) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.max(...logs) - 1e-9));
  const step = Math.ceil((high - low) / 8);
  const ticks = [];
  for (let power = low; power <= high; power += step) ticks.push(10 ** power);
  return { at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from), ticks };
}

/** An axis from 0 to a round number above the most, with 4 to 6 marks. */
export function linearAxis(most: number, from: number, to: number): Axis {
  const rough = (most > 0 ? most : 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
  const count = Math.max(1, Math.ceil((most > 0 ? most : 1) / step - 1e-9));
  return {
    at: (value) => from + (value / (count * step)) * (to - from),
    ticks: Array.from({ length: count + 1 }, (_, i) => i * step),
  };
}

/** An axis between round numbers around the least and the most, with 4 to 6 marks: for values of which 0 is far. */
export function rangeAxis(values: readonly number[], from: number, to: number): Axis {
  const finite = values.filter(Number.isFinite);
  const least = finite.length === 0 ? 0 : Math.min(...finite);
  const most = finite.length === 0 ? 1 : Math.max(...finite);
  const rough = (most > least ? most - least : Math.abs(most) || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
  const low = Math.floor(least / step + 1e-9);
  const high = Math.max(low + 1, Math.ceil(most / step - 1e-9));
  return {
    at: (value) => from + ((value / step - low) / (high - low)) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => Number(((low + i) * step).toPrecision(12))),
  };
}

/** As {@link logAxis}, from the least to the most themselves; marks at 1, 2 and 5 of each power where they are few. */
export function closeLogAxis(values: readonly number[], from: number, to: number): Axis {
  const logs = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  if (logs.length === 0) return logAxis(values, from, to);
  const margin = 0.04 * Math.max(0.1, Math.max(...logs) - Math.min(...logs));
  const low = Math.min(...logs) - margin;
  const high = Math.max(...logs) + margin;
  const factors = high - low > 2.5 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const factor of factors) {
      const at = power + Math.log10(factor);
      if (at >= low && at <= high) ticks.push(Number((factor * 10 ** power).toPrecision(3)));
    }
  return { at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from), ticks };
}
