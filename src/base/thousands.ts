/**
 * `1234567` as `1,234,567`, as `toLocaleString('en-US')` writes it. That loads tables of all languages, which takes a
 * command some 20 ms; they are left for what is no whole number.
 */
export function thousands(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return value.toLocaleString('en-US');
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
