import { randomUUID } from 'node:crypto';

/** The name of a request: the one that it came with where that is harmless in a header and a log, else a new one. */
export function requestId(given: string | undefined): string {
  return given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : `req_${randomUUID().replaceAll('-', '')}`;
}
