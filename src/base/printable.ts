/**
 * C0 but for tab and line feed, DEL, C1, and what turns the direction of writing: a terminal obeys them, or shows what
 * follows them as something else.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** A text from outside as a terminal may have it: what a terminal would obey is shown as an escape, such as `\x1b`. */
export function printable(text: string): string {
  return text.replace(OBEYED, escaped);
}

/** As {@link printable}, on one line: a line feed from outside would begin a line in our name. */
export function printableLine(text: string): string {
  return printable(text).replace(/[\t\n]/g, escaped);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  const known = { 9: '\\t', 10: '\\n', 13: '\\r' }[code];
  if (known !== undefined) return known;
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
}
