/**
 * The first key that stands twice in one object of a JSON text, or undefined. `JSON.parse` keeps the last one in
 * silence, so two readers of one file may see different values.
 *
 * @param text must be valid JSON: parse it first
 */
export function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  // Outside strings valid JSON has no quotes, so these tokens cannot be misread.
  for (const [token, key] of text.matchAll(/("(?:[^"\\]|\\.)*")(?=[ \t\n\r]*:)|"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (key !== undefined) {
      const keys = open.at(-1)!;
      const name: string = JSON.parse(key);
      if (keys.has(name)) return name;
      keys.add(name);
    } else if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
  }
  return undefined;
}
