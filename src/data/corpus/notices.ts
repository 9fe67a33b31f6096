import type { CorpusStatistics } from './types.js';

const SHOWN = 3;

/** What the user should hear of a corpus that was read: what was passed over and why, what was read otherwise. */
export function* corpusNotices(statistics: CorpusStatistics): Generator<string> {
  const {
    skippedBinary,
    skippedBinaryFiles,
    skippedOther,
    skippedLinks,
    skippedLinkFiles,
    skippedRuns,
    empty,
    remarks,
  } = statistics;
  if (skippedBinary > 0) {
    const names = skippedBinaryFiles.map(({ path, reason }) => `${path} (${reason})`);
    yield `Passed over ${skippedBinary === 1 ? '1 binary file' : `${skippedBinary} binary files`}: ${examples(names, skippedBinary)}`;
  }
  if (skippedOther > 0) {
    yield skippedOther === 1
      ? 'Passed over 1 file that is not text by its name.'
      : `Passed over ${skippedOther} files that are not text by their names.`;
  }
  if (skippedLinks > 0) {
    yield `Passed over ${skippedLinks} links to files outside of their folder: ${examples(skippedLinkFiles, skippedLinks)}. ` +
      'Name the files themselves, or their folder, to read them.';
  }
  if (skippedRuns.length > 0) {
    const folders = skippedRuns.length === 1 ? '1 folder of a run' : `${skippedRuns.length} folders of runs`;
    yield `Passed over ${folders}: ${examples(skippedRuns, skippedRuns.length)}`;
  }
  if (empty > 0) yield `Passed over ${empty === 1 ? '1 file or row' : `${empty} files or rows`} without text.`;
  yield* remarks;
}

function examples(names: readonly string[], all: number): string {
  return names.slice(0, SHOWN).join(', ') + (all > SHOWN ? ', …' : '');
}
