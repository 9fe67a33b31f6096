import { byThousands } from '../../base/si.js';
import { thousands } from '../../base/thousands.js';

export { table } from '../../base/text-table.js';

/** `1234567` as `1.23M`: three significant digits and a unit. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const units = ['', 'k', 'M', 'G', 'T'];
  const [scaled, unit] = byThousands(value, units.length - 1);
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

/** An argument as a shell takes it. */
export function shellQuote(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
