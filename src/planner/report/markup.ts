/** Text as it may stand in HTML and SVG, in elements and in attributes. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A coordinate with at most two decimals. */
export function place(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** An SVG text. @param where of its anchor: `start`, `middle` or `end` */
export function label(
  x: number,
  y: number,
  text: string,
  { where = 'start', kind = 'label' }: { readonly where?: 'start' | 'middle' | 'end'; readonly kind?: string } = {},
): string {
  return `<text class="${kind}" x="${place(x)}" y="${place(y)}" text-anchor="${where}">${escapeMarkup(text)}</text>`;
}

/** A drawing that scales with the page; its text says what it shows to those who cannot see it. */
export function drawing(width: number, height: number, title: string, content: string): string {
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(title)}">` +
    `<title>${escapeMarkup(title)}</title>${content}</svg>`
  );
}
