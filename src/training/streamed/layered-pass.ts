/*
 * Forward and backward through a model one section at a time. Of what a layer makes only its hidden states are kept, in memory
 * or elsewhere; all else is made again on the way back.
 */
import type { Engine, HostArray, HostArrays, SessionOptions } from '../../engine/engine.js';
import { lowWords } from '../../objectives/low-words.js';
import type { StepNumbers } from '../adamw.js';
import { ChunkedHead, RowCosts, type SectionTargets, sectionTargets } from './chunked-head.js';
import type { CutGraph, LayerPart } from './cut-graph.js';
import type { States, StepStates } from './hidden-states.js';
import { PartPrograms } from './part-programs.js';
import type { SectionAccess } from './section-access.js';
import type { Section } from './sections.js';

/** What a micro-batch came to: its tokens' costs in nats, by what each is multiplied, and what the way back needs. */
export interface BatchCosts {
  readonly costs_N: Float64Array;
  readonly weights_N: Float32Array | undefined;
  readonly rows: RowCosts;
}

export class LayeredPass {
  private constructor(
    private readonly graph: CutGraph,
    private readonly access: SectionAccess,
    private readonly programs: Awaited<ReturnType<typeof PartPrograms.compile>>,
    private readonly head: ChunkedHead,
  ) {}

  static async create(
    engine: Engine,
    graph: CutGraph,
    access: SectionAccess,
    accumulates: boolean,
    compile: SessionOptions,
  ): Promise<LayeredPass> {
    const programs = await PartPrograms.compile(engine, partsOf(graph), accumulates, compile);
    const { tokens, width } = graph;
    const head = new ChunkedHead(engine, { tokens, width, softcap: graph.head.softcap }, compile);
    return new LayeredPass(graph, access, programs, head);
  }

  /**
   * The costs of micro-batches' targets.
   *
   * @param batches what the objective filled
   * @param pending a step that all sections still have to take
   */
  async forward(
    batches: readonly Readonly<Record<string, HostArray>>[],
    states: States,
    pending?: StepNumbers,
  ): Promise<BatchCosts[]> {
    const { graph, access } = this;
    const { embedding, head } = graph;
    await access.through(
      embedding.sections,
      async (table, section) => {
        for (const [b, feeds] of batches.entries())
          eachRow(this.#section(section), feeds[embedding.ids] as BigInt64Array, (row, n) => {
            const C = graph.width;
            states.rows(b).set(table.subarray(row * C, (row + 1) * C), n * C);
          });
      },
      pending,
    );
    await states.passed?.(0);
    const parts = partsOf(graph);
    const last = parts.length - 1;
    const place = (part: number, b: number) => {
      if (part < 0) return states.rows(b);
      return part === last ? states.hidden(b) : states.state(part, b);
    };
    await access.through(
      parts.map(({ section }) => section),
      async (all, section) => {
        const i = section - parts[0]!.section;
        const parameters = this.#views(section, all);
        for (const [b, feeds] of batches.entries())
          await this.programs.of[i]!.forward({ x: place(i - 1, b), parameters, feeds }, place(i, b));
        await states.passed?.(i + 1);
      },
      pending,
    );
    const untied = head.sections[0] !== embedding.sections[0];
    const rows = batches.map(() => new RowCosts(graph.tokens));
    for (const one of rows) one.reset();
    await access.through(
      head.sections,
      async (table, section) => {
        for (const [b, feeds] of batches.entries())
          await this.head.costs(states.hidden(b), table, this.#targets(section, feeds), rows[b]!);
      },
      untied ? pending : undefined,
    );
    return rows.map((one, b) => ({
      costs_N: one.costs(),
      weights_N: head.weights === undefined ? undefined : (batches[b]![head.weights] as Float32Array),
      rows: one,
    }));
  }

  /**
   * Hands over the gradient of the mean costs, section by section.
   *
   * @param states as {@link forward} left them
   * @returns the sum of the squares of what of it is kept here
   */
  async backward(batches: readonly HostArrays[], costs: readonly BatchCosts[], states: StepStates): Promise<number> {
    const { graph } = this;
    let [from, to] = states.gradients;
    const swap = () => ([from, to] = [to, from]);
    let squares = await this.#headGradients(batches, costs, states, from);
    const parts = partsOf(graph);
    await this.access.through(parts.map(({ section }) => section).reverse(), async (all, section) => {
      const i = section - parts[0]!.section;
      squares += await this.access.gradient(section, { again: false, whole: true }, async (gradient) => {
        const parameters = this.#views(section, all);
        const own = this.#views(section, gradient);
        for (const [b, feeds] of batches.entries()) {
          const x = await states.before(i, b);
          await this.programs.of[i]!.backward({ x, parameters, feeds }, from[b]!, { x: to[b]!, parameters: own });
          states.release(x);
        }
      });
      swap();
    });
    return squares + (await this.#embeddingGradients(batches, from));
  }

  async dispose(): Promise<void> {
    for (const programs of this.programs.all) await programs.dispose();
    await this.head.dispose();
  }

  /** @param into the gradients of the hidden states */
  async #headGradients(
    batches: readonly HostArrays[],
    costs: readonly BatchCosts[],
    states: States,
    into: readonly Float32Array[],
  ): Promise<number> {
    const { graph, head } = this;
    const { tokens } = graph;
    for (const one of into) one.fill(0);
    const shares = costs.map(({ weights_N }) =>
      Float32Array.from({ length: tokens }, (_, n) => (weights_N?.[n] ?? 1) / tokens),
    );
    // Of a table that embeds as well this is a part of the gradient.
    const whole = graph.head.sections[0] !== graph.embedding.sections[0];
    let squares = 0;
    await this.access.through(graph.head.sections, async (table, section) => {
      squares += await this.access.gradient(section, { again: false, whole }, async (gradient) => {
        for (const [b, feeds] of batches.entries()) {
          const row = { logSum_N: costs[b]!.rows.logSum_N, share_N: shares[b]! };
          const into_b = { h: into[b]!, w: gradient };
          await head.gradients(states.hidden(b), table, this.#targets(section, feeds), row, into_b);
        }
      });
    });
    return squares;
  }

  /** @param rows the gradients of the tokens' rows */
  async #embeddingGradients(batches: readonly HostArrays[], rows: readonly Float32Array[]): Promise<number> {
    const { embedding, head, width: C } = this.graph;
    const again = head.sections[0] === embedding.sections[0];
    let squares = 0;
    for (const section of embedding.sections)
      squares += await this.access.gradient(section, { again, whole: true }, async (gradient) => {
        for (const [b, feeds] of batches.entries())
          eachRow(this.#section(section), feeds[embedding.ids] as BigInt64Array, (row, n) => {
            const from = rows[b]!;
            for (let c = 0; c < C; c++) gradient[row * C + c]! += from[n * C + c]!;
          });
      });
    return squares;
  }

  #section(section: number): Section {
    return this.graph.sections[section]!;
  }

  #views(section: number, all: Float32Array): Float32Array[] {
    return this.#section(section).entries.map(({ offset, size }) => all.subarray(offset, offset + size));
  }

  #targets(section: number, feeds: HostArrays): SectionTargets {
    const { first, rows } = rowsOf(this.#section(section));
    return sectionTargets(feeds[this.graph.head.targets] as BigInt64Array, first, rows);
  }
}

function partsOf({ embed, blocks, final }: CutGraph): readonly LayerPart[] {
  return [embed, ...blocks, final];
}

/** Which rows of its table a section has. */
function rowsOf({ entries: [entry] }: Section): { readonly first: number; readonly rows: number } {
  const [rows, C] = entry!.shape as [number, number];
  return { first: entry!.from / C, rows };
}

/** Calls `use` with each token whose row is in a section, and with that row's number in it. */
function eachRow(section: Section, ids_N: BigInt64Array, use: (row: number, n: number) => void): void {
  const { first, rows } = rowsOf(section);
  const ids = lowWords(ids_N);
  for (let n = 0; n < ids_N.length; n++) {
    const row = ids[2 * n]! - first;
    if (row >= 0 && row < rows) use(row, n);
  }
}
