import { printableLine } from '../../base/printable.js';
import type { EvaluationEvent, NoticeEvent, PreparingEvent, StartedEvent } from '../../run/events.js';
import { CLOCK_STEPS } from '../../run/limits.js';
import { bytes, grouped, short } from '../terminal/format.js';
import type { Output } from '../terminal/output.js';
import { ProgressLine } from '../terminal/progress-line.js';

/** Shows on standard error what every run tells, however it is driven. */
export class RunLines {
  readonly line: ProgressLine;
  #stage = '';
  #evaluation: EvaluationEvent | undefined;

  /** @param now milliseconds */
  constructor(
    private readonly output: Output,
    now: () => number,
  ) {
    this.line = new ProgressLine(output, now);
  }

  /** The last one. */
  get evaluation(): EvaluationEvent | undefined {
    return this.#evaluation;
  }

  show(event: NoticeEvent | PreparingEvent | StartedEvent | EvaluationEvent): void {
    const { line } = this;
    switch (event.type) {
      case 'notice':
        line.note(`note: ${event.message}`, 'warning');
        break;
      case 'preparing': {
        const percent = event.fraction === undefined ? '' : ` ${Math.floor(event.fraction * 100)} %`;
        line.show(`${event.stage}${percent}`, event.stage !== this.#stage);
        this.#stage = event.stage;
        break;
      }
      case 'started':
        line.end();
        line.note(startedText(event));
        for (const text of settingsText(event)) line.note(text, 'dim');
        break;
      case 'evaluation':
        this.#evaluation = event;
        line.note(evaluationText(event), event.evaluationsSinceBest === 0 ? 'good' : undefined);
        if (event.sample !== undefined) line.note(sampleText(event.sample, this.output.columns()), 'dim');
        break;
    }
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
  const others = Object.entries(event.metrics ?? {}).map(
    ([name, value]) => `, ${name.replaceAll('_', ' ')} ${value.toFixed(3)}`,
  );
  return `step ${grouped(event.step)}: validation loss ${event.valLoss.toFixed(4)}${bits}${others.join('')}${best}`;
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
  const taught = event.teacher === undefined ? '' : `, a teacher of ${short(event.teacher)}`;
  const from = event.step > 0 ? `, from step ${grouped(event.step)}` : '';
  return (
    `${event.run}: ${short(event.parameters)} parameters${frozen}${taught}, vocabulary ${grouped(event.vocabulary)}, ` +
    `${short(event.trainTokens)} training and ${short(event.validationTokens)} validation tokens, ` +
    `${replicas} of ${threads}${from}`
  );
}

/** What can be done with a model, by what it has learned; of another objective, to look at it. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  causal: ['generate RUN', 'eval RUN FILE'],
  masked: ['eval RUN FILE'],
  seq2seq: ['generate RUN --prompt SOURCE', 'eval RUN FILE'],
  chat: ['generate RUN --chat', 'eval RUN FILE'],
  preference: ['generate RUN --chat', 'eval RUN FILE'],
};

/** Lines with the commands that come after a run. @param run its folder, quoted for a shell */
export function nextCommands(objective: string, run: string): string[] {
  return (NEXT[objective] ?? ['info RUN']).map((next) => `  meanfield ${next.replace('RUN', () => run)}`);
}
