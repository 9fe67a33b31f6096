import type { z } from 'zod';
import type { Spelling } from './spelling.js';

/**
 * What is wrong with options, each by its name and with what came.
 *
 * @param error of a schema of options that was parsed with `reportInput`
 */
export function optionIssues(error: z.ZodError, { option }: Spelling): string {
  const problems = error.issues.map((issue) => {
    const name = issue.path.length > 0 ? option(String(issue.path[0])) : 'options:';
    const got = issue.input === undefined ? '' : `, got ${shown(issue.input)}`;
    return `${name} ${issue.message.replace(/^Invalid (input|option): /, '')}${got}`;
  });
  return problems.join('; ');
}

const LONGEST = 200;

/** A value of any kind, in a few characters. */
function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    // A cycle, or a BigInt.
    text = String(value);
  }
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
