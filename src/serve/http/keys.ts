import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** The keys that clients may show. */
export class ApiKeys {
  readonly #digests: readonly Buffer[];

  /** @param keys none: everybody may ask */
  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  get wanted(): boolean {
    return this.#digests.length > 0;
  }

  /**
   * Which key a request shows, in a time that tells nothing of the keys: digests are compared, and all of them.
   *
   * @param authorization the header, `Bearer KEY`
   * @returns its number; undefined where it is none of them
   */
  numberOf(authorization: string | undefined): number | undefined {
    const shown = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? '';
    const shownDigest = digest(shown.trim());
    let found: number | undefined;
    for (const [number, key] of this.#digests.entries()) if (timingSafeEqual(key, shownDigest)) found = number;
    return found;
  }
}
