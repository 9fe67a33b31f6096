import { mean } from '../lib.js';
import type { Commit, LiveCluster } from './live-cluster.js';
import type { Line, Program } from './program.js';

/** Bytes of the workers' lines for each token, between the second commit and the last: joins are left out. */
export function bytesPerToken(commits: readonly Commit[]): number {
  const [first, last] = [commits[1], commits.at(-1)];
  if (!first || first === last) throw new Error(`three commits are needed, there are ${commits.length}`);
  const bytes = last!.traffic.sent + last!.traffic.received - first.traffic.sent - first.traffic.received;
  return bytes / tokensAfter(commits, 2);
}

/** Bytes of each worker's line for each round, both ways, likewise. */
export function bytesPerRound(commits: readonly Commit[], workers: number): number {
  const tokens = tokensAfter(commits, 2) / (commits.length - 2);
  return (bytesPerToken(commits) * tokens) / workers;
}

/** Of the rounds from the third commit on, the mean. */
export const secondsPerRound = (commits: readonly Commit[]): number =>
  mean(commits.slice(2).map(({ event }) => event.seconds.round));

/** Tokens of the commits from this index on. */
export function tokensAfter(commits: readonly Commit[], from: number): number {
  return commits.slice(from).reduce((sum, { event }) => sum + event.tokens, 0);
}

/** The mean of what the commits from the third on say, weighted by their length. */
export function utilization(commits: readonly Commit[]): number {
  const steady = commits.slice(2).map(({ event }) => event);
  const seconds = steady.reduce((sum, event) => sum + event.seconds.round, 0);
  return steady.reduce((sum, event) => sum + event.utilization * event.seconds.round, 0) / seconds;
}

/** Milliseconds of the longest time without a commit, from one commit to the next. */
export function longestPause(commits: readonly Commit[]): number {
  return Math.max(0, ...commits.slice(1).map(({ at }, i) => at - commits[i]!.at));
}

/** Rounds that were committed and then were not: a coordinator that began behind, or committed a round again. */
export function lostCommits(lines: readonly Line[]): number {
  let last = -1;
  let lost = 0;
  for (const { type, round } of lines) {
    if (type === 'leading' && Number(round) < last) lost += last - Number(round);
    else if (type === 'round' && Number(round) <= last) lost++;
    if (type === 'leading' || type === 'round') last = Number(round);
  }
  return lost;
}

/** Commits that workers were told of and no coordinator knows: a split brain would show here. */
export function strayCommits(cluster: Pick<LiveCluster, 'lines' | 'everyWorker'>): number {
  const known = new Set(
    cluster.lines.filter(({ type }) => type === 'leading' || type === 'round').map(({ round }) => Number(round)),
  );
  const told = cluster.everyWorker.flatMap(({ lines }) =>
    lines.filter(({ type }) => type === 'committed').map(({ round }) => Number(round)),
  );
  return told.filter((round) => !known.has(round)).length;
}

/**
 * Tokens that all workers computed, those in rounds that they did not live to see the end of included: from the start
 * of the training to the kill, at the speed of their last contribution.
 *
 * @param killedAt when each killed process died, in milliseconds
 */
export function tokensComputed(workers: readonly Program[], killedAt: ReadonlyMap<Program, number>): number {
  let tokens = 0;
  let speed = 0;
  for (const worker of workers) {
    let training: Line | undefined;
    for (const line of worker.lines) {
      if (line.type === 'training') training = line;
      if (line.type !== 'contributed') continue;
      tokens += Number(line.tokens);
      speed = Number(line.tokens_per_second);
      training = undefined;
    }
    const end = killedAt.get(worker);
    if (training && end !== undefined) tokens += ((end - training.at) / 1000) * speed;
  }
  return tokens;
}
