import { median } from '../../rounds/norms.js';
import type { UpMessage } from '../protocol/up.js';
import type { ClusterStatus } from '../status.js';

/** Refusals that `status` shows. */
const SHOWN = 20;

interface Seen {
  tokens: number;
  rounds: number;
  sent: number;
  received: number;
  refused: string | null;
}

type Contribution = Extract<UpMessage, { type: 'contribution' }>;
type Refusal = Omit<ClusterStatus['refusals'][number], 'secondsAgo'>;

/** What the coordinator has seen of its workers, for people: not part of the run's state, lost with the process. */
export class Observations {
  readonly #workers = new Map<string, Seen>();
  readonly #refusals: (Refusal & { readonly at: number })[] = [];
  /** Since the last commit. */
  #bytes = { sent: 0, received: 0 };
  #refused = 0;
  readonly #gathers = new Map<string, number>();
  /** When the last commit was seen. */
  #since = Number.NEGATIVE_INFINITY;
  readonly #contributions = new Map<string, Contribution>();

  /** @param now milliseconds of a clock that never jumps */
  constructor(private readonly now: () => number = () => performance.now()) {}

  of(worker: string): Readonly<Seen> {
    return this.#seen(worker);
  }

  heard(message: UpMessage): void {
    if ('traffic' in message) {
      const seen = this.#seen(message.worker);
      const { sent, received } = message.traffic;
      this.#bytes.sent += Math.max(0, sent - seen.sent);
      this.#bytes.received += Math.max(0, received - seen.received);
      Object.assign(seen, { sent, received });
    }
    // No longer than since there was something to fetch, whatever is told, and each worker once.
    if (message.type === 'report')
      this.#gathers.set(message.worker, Math.min(message.gatherSeconds, (this.now() - this.#since) / 1000));
  }

  contributed(message: Contribution): void {
    this.#contributions.set(message.worker, message);
  }

  refused(refusal: Refusal): void {
    this.#refused++;
    this.#seen(refusal.worker).refused = refusal.reason;
    this.#refusals.unshift({ ...refusal, at: this.now() });
    this.#refusals.length = Math.min(SHOWN, this.#refusals.length);
  }

  get refusals(): ClusterStatus['refusals'] {
    return this.#refusals.map(({ at, ...refusal }) => ({ ...refusal, secondsAgo: (this.now() - at) / 1000 }));
  }

  /** Counts a committed round's contributions, and gives what was seen since the commit before. */
  committed(workers: readonly string[]) {
    const contributions = workers.flatMap((worker) => this.#contributions.get(worker) ?? []);
    for (const { worker, tokens } of contributions) {
      const seen = this.#seen(worker);
      seen.tokens += tokens;
      seen.rounds++;
    }
    const since = {
      contributions,
      bytes: this.#bytes,
      refusals: this.#refused,
      gather: typical([...this.#gathers.values()]),
    };
    this.#bytes = { sent: 0, received: 0 };
    this.#refused = 0;
    this.#gathers.clear();
    this.#since = this.now();
    this.#contributions.clear();
    return since;
  }

  #seen(worker: string): Seen {
    let seen = this.#workers.get(worker);
    if (!seen) {
      seen = { tokens: 0, rounds: 0, sent: 0, received: 0, refused: null };
      this.#workers.set(worker, seen);
    }
    return seen;
  }
}

/** Of what workers say of themselves: the median, which a few that lie do not move far. None: 0. */
export function typical(values: readonly number[]): number {
  return median(values) ?? 0;
}
