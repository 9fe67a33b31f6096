import { z } from 'zod';
import { type HttpError, wrongParameter } from '../http/http-error.js';

const LONGEST = 100;

/** What is wrong with a body, as the answer of the API: the parameter by its path, and what was expected. */
export function firstOf(error: z.ZodError, schema: z.ZodType): HttpError {
  const issue = deepest(error.issues)!;
  const path = [...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const param = pathOf([...path, issue.keys[0]!]);
    const known = path.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    const allowed = known.length > 0 ? ` Parameters: ${known.join(', ')}.` : '';
    return wrongParameter(param, `Unknown parameter: ${param}.${allowed}`, 'unknown_parameter');
  }
  const param = pathOf(path);
  const message = issue.message.replace(/^Invalid input: /, '').replace(/\.?$/, '.');
  if (issue.code === 'custom') return wrongParameter(param, `${param} ${message}`, 'unsupported_parameter');
  const got = issue.input === undefined ? '' : ` Got ${shown(issue.input)}.`;
  if (path.length === 0) return wrongParameter('body', `The body is wrong: ${message}${got}`, 'invalid_value');
  if (issue.input === undefined && issue.code === 'invalid_type')
    return wrongParameter(param, `Missing parameter: ${param}: ${message}`, 'missing_parameter');
  return wrongParameter(param, `${param}: ${message}${got}`, 'invalid_value');
}

/** Of several forms that a value might have, the fault in the one that it is nearest to. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const [first] = issues;
  if (first?.code !== 'invalid_union' || first.errors.length === 0) return first;
  const inner = first.errors.map(deepest).filter((issue) => issue !== undefined);
  const longest = inner.reduce((a, b) => (b.path.length > a.path.length ? b : a), inner[0]!);
  if (longest === undefined || longest.path.length === 0) {
    const expected = inner.flatMap((issue) => (issue.code === 'invalid_type' ? [issue.expected] : []));
    const message =
      expected.length === inner.length ? `expected ${[...new Set(expected)].join(' or ')}` : longest?.message;
    return { ...first, code: 'invalid_union', message: message ?? first.message };
  }
  return { ...longest, path: [...first.path, ...longest.path] };
}

/** `messages[0].content`. */
export function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part).slice(0, LONGEST)}`))
    .join('');
}

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value);
  return Array.isArray(value) ? `a list of ${value.length}` : value === null ? 'null' : 'an object';
}
