import type { JsonValue } from '../base/json.js';
import { snakeKeys } from '../base/snake-keys.js';
import type { EvaluationEvent, ProgressEvent } from './events.js';
import { MetricsWriter, truncateMetrics } from './metrics.js';
import type { RunPaths } from './run-folder.js';
import { TensorBoardWriter } from './tensorboard.js';

/** Figures of one step, by their names in TensorBoard. */
type Scalars = Readonly<Record<string, number>>;

/** What is written down and told of every run, and `More` of some. */
type Recorded<More> = ProgressEvent | EvaluationEvent | More;

/**
 * Keeps a run's figures, whoever drives it: `metrics.jsonl`, the same for TensorBoard, and the events for whoever
 * watches.
 */
export class Recorder<More extends { readonly type: string; readonly step: number } = never> {
  private constructor(
    private readonly metrics: MetricsWriter,
    private readonly board: TensorBoardWriter,
    /** Tells of what no line is written about. */
    readonly tell: (event: Recorded<More>) => void,
  ) {}

  /**
   * Cuts older figures back to the step that the run goes on from, and opens the files.
   *
   * @param resumedAt that step, 0 where nothing was saved yet; undefined for a new run
   */
  static async open<More extends { readonly type: string; readonly step: number } = never>(
    paths: RunPaths,
    resumedAt: number | undefined,
    tell: (event: Recorded<More>) => void,
  ): Promise<Recorder<More>> {
    if (resumedAt !== undefined) await truncateMetrics(paths.metrics, resumedAt === 0 ? -1 : resumedAt);
    const metrics = await MetricsWriter.open(paths.metrics);
    const board = await TensorBoardWriter.open(paths.folder, resumedAt === undefined ? {} : { resumeAfter: resumedAt });
    return new Recorder(metrics, board, tell);
  }

  /**
   * Writes an event down, then tells of it.
   *
   * @param more what its line has beside it, under the names of the line
   */
  write(event: Recorded<More>, scalars: Scalars, more: Readonly<Record<string, JsonValue>> = {}): void {
    this.metrics.append({ type: event.type, ...snakeKeys(event), ...more });
    this.scalars(event.step, scalars);
    this.tell(event);
  }

  /** Figures for TensorBoard alone. */
  scalars(step: number, values: Scalars): void {
    this.board.scalars(step, values);
  }

  /** @param loss of the committed parameters, on the validation samples */
  evaluation(step: number, loss: number, more: Omit<EvaluationEvent, 'type' | 'step' | 'valLoss'> = {}): void {
    const { bitsPerByte } = more;
    const bits = bitsPerByte === undefined ? {} : { 'bits per byte/validation': bitsPerByte };
    this.write({ type: 'evaluation', step, valLoss: loss, ...more }, { 'loss/validation': loss, ...bits });
  }

  /** Makes all figures outlast a power cut, as they must before a checkpoint. */
  async sync(): Promise<void> {
    await this.metrics.sync();
    await this.board.sync();
  }

  async close(): Promise<void> {
    await this.metrics.close();
    await this.board.close();
  }
}
