/*
 * Dynamic loss scaling (Micikevicius et al. 2017, arXiv 1710.03740, §3.2): a gradient's smallest numbers are below what fp16
 * holds, so the loss is multiplied by as large a power of two as keeps its largest numbers finite.
 */

/** After so many steps without one that was not finite the scale is doubled: PyTorch's GradScaler has the same. */
const PATIENCE = 2000;
const FIRST = 2 ** 16;
const MOST = 2 ** 24;

/** Where a scale stands. */
export interface LossScaleState {
  /** What the loss is multiplied by: a power of two, at least 1. */
  readonly scale: number;
  /** Steps since it changed. */
  readonly steps: number;
}

/** What the loss is multiplied by on its way back, step after step. */
export class LossScale {
  #state: LossScaleState = { scale: FIRST, steps: 0 };

  get state(): LossScaleState {
    return this.#state;
  }

  /** @throws Error when it is no scale */
  restore(state: LossScaleState): void {
    if (!isLossScale(state))
      throw new Error(`expected a power of two up to ${MOST} as a loss scale, got ${state.scale}`);
    this.#state = state;
  }

  /**
   * A step's gradient was finite, or was not.
   *
   * @returns whether a gradient that was not may be the scale's fault, which is smaller now: the step is then left out
   */
  next(finite: boolean): boolean {
    const { scale, steps } = this.#state;
    if (!finite) {
      if (scale === 1) return false;
      this.#state = { scale: scale / 2, steps: 0 };
    } else if (steps + 1 < PATIENCE) this.#state = { scale, steps: steps + 1 };
    else this.#state = { scale: Math.min(MOST, scale * 2), steps: 0 };
    return !finite;
  }
}

/** Whether a scale can stand there. */
export function isLossScale({ scale, steps }: LossScaleState): boolean {
  return Number.isInteger(Math.log2(scale)) && scale >= 1 && scale <= MOST && Number.isInteger(steps) && steps >= 0;
}
