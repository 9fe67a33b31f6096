import { join } from 'node:path';
import { CommittedModel, CommittedRanges } from '../../averaging/committed.js';
import type { Fragment } from '../../averaging/fragments.js';
import { makeFolder } from '../../base/files/make-folder.js';
import { holdsOnDisk } from '../../local/offload-need.js';
import type { RangedVector } from '../../training/ranged-vector.js';
import { FileVector } from '../../training/streamed/disk/file-vector.js';
import { type PartFile, withParts } from '../parts.js';
import type { ModelSetup } from './commands.js';

/** The vectors that a machine holds between rounds, in memory or in files that are nobody else's and outlast nothing. */
export class HeldVectors {
  #files = 0;

  private constructor(
    readonly committed: CommittedRanges,
    private readonly opened: readonly FileVector[],
    private readonly folder: string | undefined,
    /** What rounding has lost, where that is carried on and not in memory. */
    readonly residual: RangedVector | undefined,
  ) {}

  /** @param size elements of each @throws MeanfieldError when a file cannot be made */
  static async open(
    { run, offload, trains }: ModelSetup,
    fragments: readonly Fragment[],
    size: number,
  ): Promise<HeldVectors> {
    const kinds = { momentum: run.outer.method === 'nesterov', moments: run.averageMoments };
    if (!offload || !holdsOnDisk(offload))
      return new HeldVectors(new CommittedModel(size, fragments, kinds), [], undefined, undefined);
    const { folder } = offload;
    await makeFolder(folder);
    const opened: FileVector[] = [];
    const file = async (name: string) => {
      const vector = await FileVector.open(join(folder, name), size);
      opened.push(vector);
      return vector;
    };
    const ranged = {
      parameters: await file('committed'),
      momentum: kinds.momentum ? await file('momentum') : null,
      moments: kinds.moments ? ([await file('moment1'), await file('moment2')] as const) : null,
    };
    const residual = trains && run.cluster.format === 'int4' ? await file('residual') : undefined;
    return new HeldVectors(new CommittedRanges(ranged, fragments), opened, folder, residual);
  }

  /** @throws Error where they are on disk */
  get inMemory(): CommittedModel {
    if (this.committed instanceof CommittedModel) return this.committed;
    throw new Error('the committed vectors are on disk');
  }

  /** Where the next contribution is written; undefined where it stays in memory. The one before is still being sent. */
  nextFile(): string | undefined {
    return this.folder && join(this.folder, `contribution-${this.#files++ % 2}`);
  }

  /** Takes vectors, one as long as the other. @throws Error when there are not as many, or not as long */
  async load(vectors: readonly Float32Array[] | PartFile): Promise<void> {
    if ('path' in vectors) return this.#loadFile(vectors);
    if (this.committed instanceof CommittedModel) return this.committed.load(vectors);
    const own = this.committed.inOrder;
    if (vectors.length !== own.length) throw new Error(`expected ${own.length} vectors, got ${vectors.length}`);
    for (const [i, vector] of own.entries()) await vector.write(0, vectors[i]!);
    await this.committed.hashAll();
  }

  async close(): Promise<void> {
    for (const file of this.opened) await file.close();
  }

  async #loadFile(file: PartFile): Promise<void> {
    const own = this.committed.inOrder;
    const length = own[0]!.length;
    const elements = file.sizes.reduce((sum, bytes) => sum + bytes / Float32Array.BYTES_PER_ELEMENT, 0);
    if (elements !== own.length * length)
      throw new Error(`expected ${own.length} vectors of ${length}, got ${elements}`);
    await withParts(file, async (part) => {
      let at = 0;
      for (const i of file.sizes.keys()) {
        const bytes = await part(i);
        const values = new Float32Array(bytes.buffer);
        await own[Math.floor(at / length)]!.write(at % length, values);
        at += values.length;
      }
    });
    await this.committed.hashAll();
  }
}
