import { fragmentOf } from '../../averaging/fragments.js';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { BlobDamagedError, BlobMissingError } from '../../transport/errors.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import { getParts } from '../protocol/manifest.js';
import type { ClusterAudit } from '../status.js';
import type { Keeper } from './keeper.js';
import type { RunState } from './run-state.js';
import { contributionsOf } from './step-run.js';

/** What an audit works with. */
export interface AuditorOptions {
  readonly state: () => RunState;
  readonly keeper: Keeper;
  readonly blobs: BlobStore;
  /** Where the validation windows start. */
  readonly windows: readonly number[];
  readonly fragments: number;
}

interface Found {
  readonly round: number;
  readonly manifest: BlobRef;
  readonly tokens: number;
  readonly norm: number;
}

/**
 * Tries single contributions on text that no worker trains on. The keeper's thread computes, a few windows at a time, so
 * that rounds go on meanwhile.
 */
export class Auditor {
  #busy = false;

  constructor(private readonly options: AuditorOptions) {}

  /**
   * Audits a worker's contribution to the round in progress, or else to the last one committed.
   *
   * @param windows validation windows at most, evenly spaced
   * @throws MeanfieldError when there is none, when it is gone or damaged, or when another audit is under way
   */
  async audit(worker: string, windows: number): Promise<ClusterAudit> {
    if (this.#busy) throw new MeanfieldError('Another audit is under way, and one at a time is made. Ask again later.');
    this.#busy = true;
    try {
      return await this.#audit(worker, windows);
    } finally {
      this.#busy = false;
    }
  }

  async #audit(worker: string, count: number): Promise<ClusterAudit> {
    const { keeper, fragments } = this.options;
    const { round, manifest, tokens, norm: told_norm } = this.#find(worker);
    const parts = await this.#fetch(worker, round, manifest);
    const windows = evenly(this.options.windows, count);
    // Asked for in the keeper's turn, so that nothing is applied before; not waited for there, so that rounds go on. The
    // model's thread begins with copies.
    const { committed, asked } = await keeper.exclusive(async () => {
      const committed = keeper.held.round === round;
      if (!committed && this.options.state().rounds.open?.round !== round) throw goneError(worker, round);
      const base = committed ? 'before' : 'committed';
      const asked = keeper.thread.ask('audit', { fragment: fragmentOf(round, fragments), base, parts, windows });
      return { committed, asked };
    });
    const losses = await asked;
    const finite = (loss: number) => (Number.isFinite(loss) ? loss : null);
    return {
      worker,
      round,
      committed,
      base_loss: finite(losses.base),
      contribution_loss: finite(losses.contribution),
      committed_loss: finite(losses.committed),
      tokens,
      norm: losses.norm,
      told_norm,
      windows: windows.length,
    };
  }

  #find(worker: string): Found {
    const state = this.options.state();
    const { open, committed } = state.rounds;
    const now = contributionsOf(state);
    const last = state.last?.contributions ?? [];
    const current = now.find((one) => one.worker === worker);
    if (current) return { ...current, round: open!.round };
    const kept = last.find((one) => one.worker === worker);
    if (kept) return { ...kept, round: state.last!.round };
    const names = [...new Set([...now, ...last].map((one) => one.worker))];
    throw new MeanfieldError(
      `${worker} has contributed neither to the round in progress (${open?.round ?? 'none'}) nor to the last one ` +
        `committed (${committed.round}); contributions to older rounds are deleted. These can be audited: ` +
        `${names.length > 0 ? names.join(', ') : 'none yet'}.`,
    );
  }

  async #fetch(worker: string, round: number, manifest: BlobRef): Promise<Uint8Array[]> {
    const { blobs, keeper, fragments } = this.options;
    try {
      const bytes = keeper.sizes[fragmentOf(round, fragments)]!;
      return await getParts(blobs, manifest, { owner: worker, bytes });
    } catch (error) {
      if (error instanceof BlobMissingError) throw goneError(worker, round);
      if (!(error instanceof BlobDamagedError)) throw error;
      throw new MeanfieldError(
        `The contribution of ${worker} to round ${round} is damaged, so it cannot be audited: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
}

function goneError(worker: string, round: number): MeanfieldError {
  return new MeanfieldError(
    `The contribution of ${worker} to round ${round} is not there any more: only those to the round in progress and to ` +
      'the last one committed are kept. Ask again for its newest one.',
  );
}

/** Some of them, evenly spaced; all where there are not so many. */
function evenly(windows: readonly number[], count: number): number[] {
  const length = Math.min(count, windows.length);
  return Array.from({ length }, (_, i) => windows[Math.floor((i * windows.length) / length)]!);
}
