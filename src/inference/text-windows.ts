import type { TokenWindow } from '../data/sampling/token-windows.js';

/** Some tokens of a text, and how many of the targets among them are known already. */
export type TextWindow = Required<Pick<TokenWindow, 'ids' | 'known'>>;

/** Windows of one length of a text, as many as one run of a graph takes at most. */
export interface WindowRun {
  /** Tokens that the model sees of a window. */
  readonly length: number;
  readonly windows: readonly TextWindow[];
}

/** Some of a text's tokens, from where the last ones were cut. */
export interface TextPart {
  readonly ids: Int32Array;
  /** Whether windows were cut from what came before them. */
  readonly begun: boolean;
  /** Whether the text ends with them. */
  readonly end: boolean;
}

/** What was cut, and from where on the ids are needed again, with those that come next. */
export interface CutWindows {
  readonly runs: readonly WindowRun[];
  readonly from: number;
}

/** Tokens of one run of the graph, about: enough for its products to run well. */
const RUN_TOKENS = 1024;

/** Windows of so many tokens in one run of the graph. */
export function mostWindows(length: number): number {
  return Math.max(1, Math.floor(RUN_TOKENS / length));
}

/**
 * Windows of as many input tokens as the context, with the token after them, of which each tells what none before it has:
 * each token but the first is told exactly once. The last of a text may be short: filling behind its end changes nothing
 * before it, so few sizes of graph serve all texts.
 *
 * @param stride tokens from one window to the next, at most the context: but in the first window, a token is told from at
 * least context − stride others
 */
export function windowsOfNext({ ids, begun, end }: TextPart, context: number, stride = context): CutWindows {
  const overlap = context - stride;
  const last = ids.length - 1;
  const most = mostWindows(context);
  const whole = last < context ? 0 : 1 + Math.floor((last - context) / stride);
  const all = last > (begun ? overlap : 0) ? 1 + Math.ceil(Math.max(0, last - context) / stride) : 0;
  const count = end ? all : whole - (whole % most);
  if (count === 0) return { runs: [], from: 0 };
  const length = begun ? context : Math.min(context, 2 ** Math.ceil(Math.log2(last)));
  const windows = Array.from({ length: count }, (_, i) => ({
    ids: ids.subarray(i * stride, i * stride + context + 1),
    known: begun || i > 0 ? overlap : 0,
  }));
  return { runs: inRuns(length, windows), from: count * stride };
}

/**
 * Consecutive windows of as many tokens as the context. Who sees a whole window would see what is filled behind its end,
 * so what is left of a text is cut into windows of powers of two, the longest first; one token alone is passed over.
 */
export function windowsOfAll({ ids, end }: TextPart, context: number): CutWindows {
  const group = mostWindows(context) * context;
  const ready = end ? ids.length : Math.floor(ids.length / group) * group;
  const whole = Math.floor(ready / context);
  const runs = inRuns(
    context,
    Array.from({ length: whole }, (_, i) => ({ ids: ids.subarray(i * context, (i + 1) * context), known: 0 })),
  );
  let at = whole * context;
  while (ready - at > 1) {
    const length = 2 ** Math.floor(Math.log2(ready - at));
    runs.push({ length, windows: [{ ids: ids.subarray(at, at + length), known: 0 }] });
    at += length;
  }
  return { runs, from: ready };
}

function inRuns(length: number, windows: readonly TextWindow[]): WindowRun[] {
  const most = mostWindows(length);
  return Array.from({ length: Math.ceil(windows.length / most) }, (_, i) => ({
    length,
    windows: windows.slice(i * most, (i + 1) * most),
  }));
}
