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
