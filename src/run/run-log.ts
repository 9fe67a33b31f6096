import { snakeKeys } from '../base/snake-keys.js';
import type { EvaluationEvent } from './events.js';
import { MetricsWriter, truncateMetrics } from './metrics.js';
import type { RunPaths } from './run-folder.js';
import { TensorBoardWriter } from './tensorboard.js';

/** The files of a run's figures: `metrics.jsonl`, and the same for TensorBoard. */
export class RunLog {
  private constructor(
    readonly metrics: MetricsWriter,
    readonly board: TensorBoardWriter,
  ) {}

  /**
   * Cuts older figures back to the step that the run goes on from, and opens the files.
   *
   * @param resumedAt that step, 0 where nothing was saved yet; undefined for a new run
   */
  static async open(paths: RunPaths, resumedAt: number | undefined): Promise<RunLog> {
    if (resumedAt !== undefined) await truncateMetrics(paths.metrics, resumedAt === 0 ? -1 : resumedAt);
    const metrics = await MetricsWriter.open(paths.metrics);
    const board = await TensorBoardWriter.open(paths.folder, resumedAt === undefined ? {} : { resumeAfter: resumedAt });
    return new RunLog(metrics, board);
  }

  /** Writes an evaluation down; returns the event that tells of it. */
  evaluation(step: number, loss: number, more: Omit<EvaluationEvent, 'type' | 'step' | 'valLoss'> = {}) {
    const event: EvaluationEvent = { type: 'evaluation', step, valLoss: loss, ...more };
    this.metrics.append({ type: event.type, ...snakeKeys(event) });
    this.board.scalars(step, {
      'loss/validation': loss,
      ...(more.bitsPerByte !== undefined && { 'bits per byte/validation': more.bitsPerByte }),
    });
    return event;
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
