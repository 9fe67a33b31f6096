/** A word as /bin/sh takes it; `$(NAME)` is for Kubernetes to fill in, so a `$` of the user's own is doubled. */
export function shellWord(word: string): string {
  const text = word.replaceAll('$(', () => '$$(');
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
