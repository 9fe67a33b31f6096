import { thousands } from '../../base/thousands.js';
/** `1234567` as `1.23M`: three significant digits and a unit. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const units = ['', 'k', 'M', 'G', 'T'];
  let unit = 0;
  let scaled = value;
  // 999.5 would be printed as 1.00e+3.
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return unit === 0 && Number.isInteger(scaled) ? String(scaled) : `${Number(scaled.toPrecision(3))}${units[unit]}`;
}

/** `1234567890` as `1.2 GB`, `1234567` as `1 MB`. */
export function bytes(value: number): string {
  return value < 999.5e6 ? `${Math.round(value / 1e6)} MB` : `${(value / 1e9).toFixed(1)} GB`;
}

/** `1234567` as `1,234,567`. */
export function grouped(value: number): string {
  return thousands(value);
}

/** Seconds as `42 s`, `3 min 5 s` or `2 h 10 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A loss with three decimals; `-` for none. */
export function loss(value: number | undefined | null): string {
  return typeof value === 'number' && Number.isFinite(value) ? value.toFixed(3) : '-';
}

/** Rows as columns two spaces apart; numbers keep to the right when their column is named in `right`. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** An argument as a shell takes it. */
export function shellQuote(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
