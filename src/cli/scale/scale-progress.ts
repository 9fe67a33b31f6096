import type { LadderProgressEvent, ScaleEvent } from '../../scale/events.js';
import { duration, grouped, loss, short } from '../terminal/format.js';
import type { Output } from '../terminal/output.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { ladderTable } from './scale-text.js';

const BAR = 20;

/** Shows the events of a ladder on standard error, and its table. */
export class ScaleProgress {
  private readonly line: ProgressLine;

  /**
   * @param planOnly whether the table is the result, for standard output
   * @param now milliseconds
   */
  constructor(
    private readonly output: Output,
    private readonly planOnly: boolean,
    now: () => number = Date.now,
  ) {
    this.line = new ProgressLine(output, now);
  }

  show(event: ScaleEvent): void {
    const { line, output, planOnly } = this;
    switch (event.type) {
      case 'notice':
        line.note(event.message, 'warning');
        break;
      case 'preparing':
        line.show(event.stage, true);
        break;
      case 'ladder':
        line.end();
        if (planOnly) output.text(ladderTable(event));
        else output.note(`${ladderTable(event)}\n`);
        break;
      case 'job':
        line.note(
          `${(event.replicas === undefined ? event.kind : `${event.replicas} replicas, H ${event.syncEvery}`).padEnd(5)} ${grouped(event.parameters)} parameters, ${short(event.tokens)} tokens, rate ` +
            `${event.rate.toPrecision(3)}: ${event.loss === null ? 'diverged' : `loss ${event.loss.toFixed(4)}`} after ${duration(event.seconds)}`,
        );
        break;
      case 'prediction':
        line.note(
          `The law expects ${event.loss.toFixed(4)} (90 %: ${event.low.toFixed(4)} to ${event.high.toFixed(4)}) of ` +
            `${grouped(event.parameters)} parameters on ${short(event.tokens)} tokens; now they are trained.`,
          'good',
        );
        break;
      case 'gap_prediction':
        for (const { replicas, syncEvery, gap } of event.gaps)
          line.note(
            `${replicas} replicas averaged every ${syncEvery} steps are expected to lose ${(100 * gap).toFixed(2)} %.`,
            'good',
          );
        break;
      case 'progress':
        line.show(progressText(event));
    }
  }

  /** Takes the live line away, before a summary or an error. */
  end(): void {
    this.line.end();
  }
}

/** Where a ladder is, in one line: a bar of all its work, and how far the runs in work are. */
export function progressText({ fraction, done, jobs, etaSeconds, running }: LadderProgressEvent): string {
  const filled = Math.round(Math.min(1, fraction) * BAR);
  const each = running.map(
    ({ id, step, steps, loss: value }) => `${id} ${Math.floor((100 * step) / steps)} % ${loss(value)}`,
  );
  return (
    `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${(100 * fraction).toFixed(0)} %  ${done}/${jobs} runs  ` +
    `${duration(etaSeconds)} left  ${each.join('  ')}`
  );
}
