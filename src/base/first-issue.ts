import { z } from 'zod';

/** What is wrong with what a schema refused, and where in it, on one line: of several things the outermost. */
export function firstIssue(error: z.ZodError): string {
  return z.prettifyError(error).split('\n').slice(0, 2).join(' ');
}
