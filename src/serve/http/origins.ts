/** Programs on a machine itself: pages served from it, applications and extensions of editors. */
const LOCAL = [
  /^https?:\/\/(?:localhost|[\w-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i,
  /^(?:app|file|tauri|capacitor|ionic|obsidian|vscode-webview|vscode-file|chrome-extension|moz-extension):\/\//i,
];

/** Which pages of browsers may ask. */
export class Origins {
  readonly #all: boolean;

  /**
   * @param allowed origins beside those of this machine, such as `https://example.com`; `*` for all
   * @param keys whether a key is asked for: it keeps others out, wherever their page is from
   */
  constructor(
    private readonly allowed: readonly string[],
    keys: boolean,
  ) {
    this.#all = keys || allowed.includes('*');
  }

  /** @param origin the header; only browsers send it */
  allows(origin: string | undefined): boolean {
    return (
      origin === undefined ||
      this.#all ||
      this.allowed.includes(origin) ||
      LOCAL.some((pattern) => pattern.test(origin))
    );
  }
}

/**
 * Whether a request to this machine alone names it: a page may have its own name lead here (DNS rebinding).
 *
 * @param host the header
 */
export function namesThisMachine(host: string | undefined): boolean {
  return /^(?:localhost|[\w-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host ?? 'localhost');
}
