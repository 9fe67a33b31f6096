import type { EvaluationEvent, ProgressEvent, TrainEvent } from '../../run/events.js';
import { bytes, duration, grouped, loss, short } from '../terminal/format.js';
import type { Output } from '../terminal/output.js';
import { sparkline } from '../terminal/sparkline.js';
import { RunLines } from './run-lines.js';

const LONGEST_BAR = 24;
const SHORTEST_BAR = 6;
const CURVE = 16;
/** Losses that the curve is drawn from; when there are more, every second goes. */
const MOST_LOSSES = 1024;

/** Shows the events of a training run on standard error. */
export class TrainProgress {
  private readonly lines: RunLines;
  private losses: number[] = [];

  /** @param now milliseconds */
  constructor(
    private readonly output: Output,
    now: () => number = Date.now,
  ) {
    this.lines = new RunLines(output, now);
  }

  show(event: TrainEvent): void {
    const { live } = this.output;
    const { line, evaluation } = this.lines;
    switch (event.type) {
      case 'progress':
        this.losses.push(event.loss);
        if (this.losses.length > MOST_LOSSES) this.losses = this.losses.filter((_, i) => i % 2 === 1);
        line.show(progressText(event, evaluation, live ? this.output.columns() : 0, live ? this.losses : []));
        break;
      case 'checkpoint':
        break;
      default:
        this.lines.show(event);
    }
  }

  /** Takes the live line away, before a summary or an error. */
  end(): void {
    this.lines.line.end();
  }
}

/**
 * Where a run is, in one line, with a bar and the curve of the loss where there is room for them.
 *
 * @param columns of the terminal; 0 for none
 * @param losses of the run so far
 */
export function progressText(
  event: ProgressEvent,
  evaluation: Pick<EvaluationEvent, 'valLoss' | 'bitsPerByte'> | undefined,
  columns: number,
  losses: readonly number[] = [],
): string {
  const bits = evaluation?.bitsPerByte;
  const parts = [
    `step ${grouped(event.step)}/${grouped(event.totalSteps)}`,
    `loss ${loss(event.loss)}`,
    `val ${loss(evaluation?.valLoss)}${bits === undefined ? '' : ` (${bits.toFixed(2)} bits/byte)`}`,
    `${short(event.tokensPerSecond)} tokens/s`,
    ...(event.memoryBytes === undefined ? [] : [bytes(event.memoryBytes)]),
    `${duration(event.etaSeconds)} left`,
  ];
  let text = parts.join('  ');
  const curve = sparkline(losses, CURVE);
  if (curve.length > 1 && text.length + curve.length + 2 < columns) text = `${text}  ${curve}`;
  const bar = Math.min(LONGEST_BAR, columns - text.length - 2);
  if (bar < SHORTEST_BAR) return text;
  const done = event.totalSteps > 0 ? Math.min(1, event.step / event.totalSteps) : 0;
  const filled = Math.round(done * bar);
  return `${'█'.repeat(filled)}${'░'.repeat(bar - filled)} ${text}`;
}
