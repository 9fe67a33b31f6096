/** `trainLoss` as JSON of ours spells it: `train_loss`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Names within are data of the user's: options under their own names. */
const VERBATIM = ['settings'];

/**
 * What code knows in camel case, as the command line and the files of a run spell it: all keys, in lists and inner
 * objects too, but for `settings`, which are options under their own names.
 */
export function snakeKeys<T extends object>(value: T): Record<string, never> {
  return converted(value) as Record<string, never>;
}

function converted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(converted);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [snakeCase(key), VERBATIM.includes(key) ? inner : converted(inner)]),
  );
}
