import type { Output, Style } from './output.js';

/** How often the line of a terminal is redrawn, and how often a log gets one, in milliseconds. */
const REDRAW = 100;
const LOG_EVERY = 5000;

/**
 * One line that says how far the work is: redrawn in place on a terminal, written every few seconds to a log.
 *
 * @example
 * const line = new ProgressLine(output);
 * line.show('step 10/100');
 * line.note('something that stays');
 * line.end();
 */
export class ProgressLine {
  private shownAt = Number.NEGATIVE_INFINITY;
  private drawn = false;
  private last = '';

  /** @param now milliseconds */
  constructor(
    private readonly output: Output,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Shows where the work is, unless the line was written a moment ago.
   *
   * @param always write it in any case, such as when a new stage begins
   */
  show(text: string, always = false): void {
    const time = this.now();
    if (!always && time - this.shownAt < (this.output.live ? REDRAW : LOG_EVERY)) return;
    this.shownAt = time;
    this.last = text;
    this.draw(text);
  }

  /** Writes a line that stays, above the one that is redrawn. */
  note(text: string, style?: Style): void {
    this.clear();
    this.output.note(`${text}\n`, style);
    if (this.output.live && this.last !== '') this.draw(this.last);
  }

  /** Takes the redrawn line away. */
  end(): void {
    this.clear();
    this.last = '';
  }

  private draw(text: string): void {
    if (!this.output.live) {
      this.output.note(`${text}\n`);
      return;
    }
    this.output.redraw(text);
    this.drawn = true;
  }

  private clear(): void {
    if (this.drawn) this.output.redraw('');
    this.drawn = false;
  }
}
