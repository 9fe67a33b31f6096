import type { RunState } from './run-state.js';

/**
 * Whether anybody may still fetch a blob: contributions to the round in progress and, for audits, to the last one;
 * results and snapshots of the chain by which joiners come to the parameters, and of the one before, on which somebody may
 * be under way; what the next round may have begun.
 */
export function isNeeded({ rounds, chain, retired, last }: RunState, key: string): boolean {
  const [owner, kind, number, attempt] = key.split('/');
  const round = Number(number);
  // Numbers of rounds that were given up are not used again.
  const begun = rounds.open?.round ?? rounds.round + 1;
  // Of members all that is later, so that one who leads no more, and does not know it yet, deletes nothing that is new.
  const isPresent = owner === 'run' || rounds.workers.some(({ worker }) => worker === owner);
  const isUnderWay = round >= begun && (isPresent || round <= begun + 1);
  const lists = [chain.snapshot, ...chain.results].map(({ manifest }) => manifest);
  const kept = [...lists, ...retired].map((list) => list.key.split('/'));
  switch (kind) {
    case 'c':
      return owner !== 'run' && (isUnderWay || round === last?.round);
    case 'r':
    case 'o':
      return isUnderWay || kept.some(([, of, n, a]) => of === 'r' && n === number && a === attempt);
    case 's':
      return owner === 'run' && (round > chain.snapshot.round || kept.some(([, of, n]) => of === 's' && n === number));
    case 'configuration':
    case 'data':
    case 'frozen':
      return owner === 'run';
    default:
      return false;
  }
}

/** Segments of a key, by kind, that say whether a blob is needed. */
const DECIDING: Readonly<Record<string, number>> = { c: 3, s: 3, r: 4, o: 4 };

/**
 * What is deleted at once with a blob that nobody needs: nothing below it is needed, now or later.
 *
 * @returns undefined where that cannot be said of the key: no blob of ours has such a one, and what is needed may lie
 * below it
 */
export function prefixOf(key: string): string | undefined {
  const parts = key.split('/');
  if (parts.length < 2) return undefined;
  const deciding = DECIDING[parts[1]!] ?? 2;
  return parts.length < deciding ? undefined : parts.slice(0, deciding).join('/');
}
