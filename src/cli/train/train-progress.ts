import { printableLine } from '../../base/printable.js';
import type { EvaluationEvent, ProgressEvent, StartedEvent, TrainEvent } from '../../run/events.js';
import { CLOCK_STEPS } from '../../run/limits.js';
import { bytes, duration, grouped, loss, short } from '../terminal/format.js';
import type { Output } from '../terminal/output.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { sparkline } from '../terminal/sparkline.js';

const LONGEST_BAR = 24;
const SHORTEST_BAR = 6;
const CURVE = 16;
/** Losses that the curve is drawn from; when there are more, every second goes. */
const MOST_LOSSES = 1024;

/** Shows the events of a training run on standard error. */
export class TrainProgress {
  private readonly line: ProgressLine;
  private stage = '';
  private evaluation: EvaluationEvent | undefined;
  private losses: number[] = [];

  /** @param now milliseconds */
  constructor(
    private readonly output: Output,
    now: () => number = Date.now,
  ) {
    this.line = new ProgressLine(output, now);
  }

  show(event: TrainEvent): void {
    const { live } = this.output;
    switch (event.type) {
      case 'notice':
        this.line.note(`note: ${event.message}`, 'warning');
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
        for (const text of settingsText(event)) this.line.note(text, 'dim');
        break;
      case 'progress':
        this.losses.push(event.loss);
        if (this.losses.length > MOST_LOSSES) this.losses = this.losses.filter((_, i) => i % 2 === 1);
        this.line.show(progressText(event, this.evaluation, live ? this.output.columns() : 0, live ? this.losses : []));
        break;
      case 'evaluation':
        this.evaluation = event;
        this.line.note(evaluationText(event), event.evaluationsSinceBest === 0 ? 'good' : undefined);
        if (event.sample !== undefined) this.line.note(sampleText(event.sample, this.output.columns()), 'dim');
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

/** A validation loss in nats and bits, and how it stands beside the best. */
export function evaluationText(event: EvaluationEvent): string {
  const bits = event.bitsPerByte === undefined ? '' : `, ${event.bitsPerByte.toFixed(3)} bits/byte`;
  const best =
    event.bestValLoss === undefined
      ? ''
      : event.evaluationsSinceBest === 0
        ? ', best so far'
        : ` (best ${event.bestValLoss.toFixed(4)} at step ${grouped(event.bestStep ?? 0)})`;
  return `step ${grouped(event.step)}: validation loss ${event.valLoss.toFixed(4)}${bits}${best}`;
}

function sampleText(sample: string, columns: number): string {
  const text = printableLine(sample);
  const room = Math.max(10, columns - 5);
  return `  ${text.length > room ? `${text.slice(0, room)}…` : text}`;
}

/** What is in force of a run's options, and what it needs of memory. */
export function settingsText({ settings, ...event }: StartedEvent): string[] {
  if (!settings) return [];
  const { batchSize, gradAccum, context, lr, minLr, warmup, steps, minutes, patience } = settings;
  const tokens = event.replicas * batchSize * gradAccum * context;
  const accumulated = gradAccum > 1 ? ` × ${gradAccum} micro-batches` : '';
  const replicas =
    event.replicas > 1 ? ` × ${event.replicas} replicas, averaged every ${settings.syncEvery} steps` : '';
  const length = minutes === undefined ? `${grouped(steps ?? 0)} steps` : `${minutes} min`;
  const rise =
    minutes === undefined
      ? `${grouped(warmup)} steps`
      : `${Number(((100 * warmup) / CLOCK_STEPS).toPrecision(2))} % of the time`;
  const lines = [
    `batch ${batchSize} × ${context}${accumulated}${replicas} = ${grouped(tokens)} tokens a step; ${length}; ` +
      `learning rate ${short(lr)} after ${rise} of warm-up, to ${short(minLr)}; ${settings.device}, seed ${settings.seed}; ` +
      `evaluated every ${grouped(settings.evalEvery)} steps${patience ? `, at most ${patience} without a better one` : ''}`,
  ];
  const { expectedMemoryBytes: expected, availableMemoryBytes: available } = event;
  if (expected !== undefined) lines.push(`memory: about ${bytes(expected)} expected, ${bytes(available ?? 0)} free`);
  return lines;
}

/** What is about to be trained, in one line. */
export function startedText(event: StartedEvent): string {
  const replicas = event.replicas === 1 ? '1 replica' : `${event.replicas} replicas`;
  const threads = event.threads === 1 ? '1 thread' : `${event.threads} threads`;
  const frozen = event.frozen === undefined ? '' : `, ${short(event.frozen)} of them frozen`;
  const from = event.step > 0 ? `, from step ${grouped(event.step)}` : '';
  return (
    `${event.run}: ${short(event.parameters)} parameters${frozen}, vocabulary ${grouped(event.vocabulary)}, ` +
    `${short(event.trainTokens)} training and ${short(event.validationTokens)} validation tokens, ` +
    `${replicas} of ${threads}${from}`
  );
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
