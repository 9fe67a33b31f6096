import { MeanfieldError } from '../../base/errors.js';
import { NOT_APPROVED, WAITING } from '../protocol/admission.js';
import { type Approval, type Asking, ask, idOf, isWaiting } from './approvals.js';
import type { RunInput } from './step-run.js';

/** Milliseconds of silence after which a machine waits no more. */
const SILENT = 60_000;
const LOOK_EVERY = 10_000;
/** Milliseconds between two questions of a machine that waits, at least, for which there is always time. */
const PACE = 2000;

/** Where the machines stand that a person must approve: in the run's state, where another coordinator finds them. */
export class ApprovalDesk {
  /** When each was heard of last, by its id. */
  readonly #heard = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  /** @param now milliseconds of a clock that never jumps */
  constructor(
    private readonly approvals: () => readonly Approval[],
    private readonly happen: (input: RunInput) => Promise<void>,
    private readonly onAsked: (approval: Approval) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    for (const { id } of approvals().filter(isWaiting)) this.#heard.set(id, now());
    this.#timer = setInterval(() => void this.forgetSilent(), LOOK_EVERY);
    this.#timer.unref();
  }

  /** Whether the holder of a key asks again, and not too soon: then it takes nobody else's time. */
  isPatient(key: string): boolean {
    const heard = this.#heard.get(idOf(key));
    return heard !== undefined && this.now() - heard >= PACE;
  }

  /** @returns why the machine is not let in now; null: a person has approved it */
  async objection(asking: Asking): Promise<{ readonly code: string; readonly reason: string } | null> {
    const before = this.approvals();
    const asked = ask(before, asking, Date.now());
    if ('full' in asked) return { code: NOT_APPROVED, reason: `${asked.full}; try again later` };
    const { approval } = asked;
    if (approval.decision === 'approved') return null;
    if (approval.decision === 'refused')
      return { code: NOT_APPROVED, reason: "the run's owner has refused this machine" };
    this.#heard.set(approval.id, this.now());
    if (asked.approvals !== before) {
      await this.happen({ type: 'asked', asking, at: approval.since });
      this.onAsked(approval);
    }
    return { code: WAITING, reason: approval.id };
  }

  /** @returns whom it is about @throws MeanfieldError when nobody of this id has asked */
  async decide(id: string, decision: 'approved' | 'refused'): Promise<Approval> {
    const found = this.approvals().find((one) => one.id === id);
    if (!found)
      throw new MeanfieldError(
        `No machine ${id} waits for approval. Those that do: meanfield cluster status. One that has been silent for a ` +
          'minute waits no more.',
      );
    this.#heard.delete(id);
    await this.happen({ type: 'decided', id, decision });
    return found;
  }

  /** Forgets those that have ended, or gone. */
  async forgetSilent(): Promise<void> {
    const gone = this.approvals()
      .filter((one) => isWaiting(one) && this.now() - (this.#heard.get(one.id) ?? 0) >= SILENT)
      .map(({ id }) => id);
    if (gone.length === 0) return;
    for (const id of gone) this.#heard.delete(id);
    await this.happen({ type: 'gone', ids: gone });
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
