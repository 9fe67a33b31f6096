import { byThousands } from '../../base/si.js';
import { thousands } from '../../base/thousands.js';

/** Bytes as `12.3 GB`. */
export function bytes(value: number): string {
  return scaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

/** Bytes a second as bits: `400 Gb/s`. */
export function bits(bytesPerSecond: number): string {
  if (bytesPerSecond === Number.POSITIVE_INFINITY) return 'any';
  return scaled(8 * bytesPerSecond, ['b/s', 'kb/s', 'Mb/s', 'Gb/s', 'Tb/s', 'Pb/s']);
}

/** Seconds as `340 ms`, `2.41 s`, `3.2 h` or `12.5 days`. */
export function time(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'never';
  if (seconds === 0) return '0 s';
  if (seconds < 1) return seconds < 1e-3 ? `${digits(seconds * 1e6)} µs` : `${digits(seconds * 1e3)} ms`;
  if (seconds < 120) return `${digits(seconds)} s`;
  if (seconds < 7200) return `${digits(seconds / 60)} min`;
  if (seconds < 172_800) return `${digits(seconds / 3600)} h`;
  const days = seconds / 86_400;
  return days < 1000 ? `${digits(days)} days` : `${digits(days / 365.25)} years`;
}

/** A share as `12.3 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** US dollars, `$1,234` or `$1.23 M`; `unknown` without a price. */
export function dollars(usd: number | null): string {
  if (usd === null) return 'unknown';
  if (usd < 1000) return `$${digits(usd)}`;
  return usd < 1e6 ? `$${thousands(Math.round(usd))}` : `$${scaled(usd, ['', 'k', 'M', 'G', 'T'])}`;
}

/** A large count as `17.2 G`. */
export function quantity(value: number): string {
  return scaled(value, ['', 'k', 'M', 'G', 'T', 'P', 'E']).trim();
}

function scaled(value: number, units: readonly string[]): string {
  const [rest, unit] = byThousands(value, units.length - 1);
  return `${digits(rest)} ${units[unit]}`;
}

/** Three significant digits, no exponent. */
function digits(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) >= 100 ? thousands(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** What a figure may come to: `80 %: 11.1 h to 13.9 h`. */
export function range(
  value: number,
  { share, low, high }: { readonly share: number; readonly low: number; readonly high: number },
  write: (value: number) => string,
): string {
  return `${Math.round(100 * share)} %: ${write(value * low)} to ${write(value * high)}`;
}
