const LEVELS = '▁▂▃▄▅▆▇█';

/** A curve in one line of so many characters, the newest value last; each stands for as many values as the others. */
export function sparkline(values: readonly number[], width: number): string {
  const finite = values.filter(Number.isFinite);
  const count = Math.min(width, finite.length);
  const means = Array.from({ length: count }, (_, i) => {
    const part = finite.slice(Math.floor((i * finite.length) / count), Math.floor(((i + 1) * finite.length) / count));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const [least, most] = [Math.min(...means), Math.max(...means)];
  const level = (value: number) =>
    most > least ? Math.round(((LEVELS.length - 1) * (value - least)) / (most - least)) : 0;
  return means.map((value) => LEVELS[level(value)]).join('');
}
