/** All divisors of a whole number from 1, ascending. */
export function divisors(value: number): number[] {
  const low: number[] = [];
  const high: number[] = [];
  for (let i = 1; i * i <= value; i++) {
    if (value % i !== 0) continue;
    low.push(i);
    if (i * i !== value) high.push(value / i);
  }
  return [...low, ...high.reverse()];
}
