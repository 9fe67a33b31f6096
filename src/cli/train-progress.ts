import type { EvaluationEvent, ProgressEvent, StartedEvent, TrainEvent } from '../cluster/events.js';
import { duration, grouped, loss, short } from './format.js';
import type { Output } from './output.js';
import { ProgressLine } from './progress-line.js';

const LONGEST_BAR = 24;
const SHORTEST_BAR = 6;

/** Shows the events of a training run on standard error. */
export class TrainProgress {
  private readonly line: ProgressLine;
  private stage = '';
  private evaluation: EvaluationEvent | undefined;

  /** @param now milliseconds */
  constructor(
    private readonly output: Output,
    now: () => number = Date.now,
  ) {
    this.line = new ProgressLine(output, now);
  }

  show(event: TrainEvent): void {
    switch (event.type) {
      case 'notice':
        this.line.note(`note: ${event.message}`);
        break;
      case 'preparing': {
        const percent = event.fraction === undefined ? '' : ` ${Math.floor(event.fraction * 100)} %`;
        this.line.show(`${event.stage}${percent}`, event.stage !== this.stage);
        this.stage = event.stage;
        break;
      }
      case 'started':
        this.line.end();
        this.line.note(startedText(event));
        break;
      case 'progress':
        this.line.show(progressText(event, this.evaluation?.val_loss, this.output.live ? this.output.columns() : 0));
        break;
      case 'evaluation':
        this.evaluation = event;
        this.line.note(`step ${grouped(event.step)}: validation loss ${event.val_loss.toFixed(4)}`);
        break;
      case 'checkpoint':
        break;
    }
  }

  /** Takes the live line away, before a summary or an error. */
  end(): void {
    this.line.end();
  }
}

/** What is about to be trained, in one line. */
export function startedText(event: StartedEvent): string {
  const replicas = event.replicas === 1 ? '1 replica' : `${event.replicas} replicas`;
  const threads = event.threads === 1 ? '1 thread' : `${event.threads} threads`;
  const from = event.step > 0 ? `, from step ${grouped(event.step)}` : '';
  return (
    `${event.run}: ${short(event.parameters)} parameters, vocabulary ${grouped(event.vocabulary)}, ` +
    `${short(event.trainTokens)} training and ${short(event.validationTokens)} validation tokens, ` +
    `${replicas} of ${threads}${from}`
  );
}

/**
 * Where a run is, in one line, with a bar where there is room for one.
 *
 * @param columns of the terminal; 0 for none
 */
export function progressText(event: ProgressEvent, valLoss: number | undefined, columns: number): string {
  const parts = [
    `step ${grouped(event.step)}/${grouped(event.total_steps)}`,
    `loss ${loss(event.loss)}`,
    `val ${loss(valLoss)}`,
    `${short(event.tokens_per_second)} tokens/s`,
    `${duration(event.eta_seconds)} left`,
  ];
  const text = parts.join('  ');
  const bar = Math.min(LONGEST_BAR, columns - text.length - 2);
  if (bar < SHORTEST_BAR) return text;
  const done = event.total_steps > 0 ? Math.min(1, event.step / event.total_steps) : 0;
  const filled = Math.round(done * bar);
  return `${'█'.repeat(filled)}${'░'.repeat(bar - filled)} ${text}`;
}
