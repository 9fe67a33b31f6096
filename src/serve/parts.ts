import type { ListenOptions } from './http/listen.js';
import type { ShelfEntry, ShelfEvent } from './models/shelf.js';

/** What a server is made of. */
export interface ServerParts extends ListenOptions {
  readonly models: readonly ShelfEntry[];
  /** Whether the first model is opened at once, before it is asked for. */
  readonly warm?: boolean;
  /** Bytes of memory for models that are open. */
  readonly memoryBytes: number;
  readonly apiKeys: readonly string[];
  readonly origins: readonly string[];
  readonly maxTokens: number;
  readonly clientRequests: number;
  readonly maxBody: number;
  readonly timeLimitMs: number;
  readonly drainMs: number;
  /** Milliseconds between two looks at runs that are followed; left out: none is. */
  readonly followMs?: number | undefined;
  readonly pingMs?: number;
  readonly stallMs?: number;
  /** Hears what whoever runs the server should know. */
  readonly log?: (message: string) => void;
  readonly tell?: (event: ShelfEvent) => void;
}
