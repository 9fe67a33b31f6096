/*
 * An objective's graph, cut between its layers: each part depends on one hidden state, the one before it, and on parameters
 * that no other part has, so that a step can hold one layer's parameters at a time.
 * Shape suffixes: N tokens; C width; V vocabulary.
 */
import { MeanfieldError } from '../../base/errors.js';
import { CHUNK_ELEMENTS, input, reachedInputs, type Tensor } from '../../graph/index.js';
import { EMBEDDING, LAYER, type TracedParameters } from '../../model/architecture.js';
import type { ParameterEntry } from '../../model/layout.js';
import type { Objective } from '../../objectives/objective.js';
import { layerSection, type Section, tableSections } from './sections.js';

/** One layer: hidden state in, hidden state out. */
export interface LayerPart {
  /** Which section has its parameters; it may be one of none. */
  readonly section: number;
  /** The input: [N, C], named {@link STATE}. */
  readonly x_NC: Tensor;
  readonly y_NC: Tensor;
  /** Inputs named {@link parameterName}, in the order of the section's entries. */
  readonly parameters: readonly Tensor[];
  /** Of which of them a step needs gradients, by their places; of all where it is left out. */
  readonly learned?: readonly number[];
}

/** A table with a row for each token of the vocabulary. */
export interface Table {
  /** The sections that have its rows, in their order. */
  readonly sections: readonly number[];
}

/** An objective's graph in parts. */
export interface CutGraph {
  readonly sections: readonly Section[];
  /** The rows of the tokens, which the first part takes: the table, and the feed of the tokens' ids, [N] int64. */
  readonly embedding: Table & { readonly ids: string };
  /** From the rows to the hidden state before the first block. */
  readonly embed: LayerPart;
  readonly blocks: readonly LayerPart[];
  /** From the hidden state after the last block to what the head scores. */
  readonly final: LayerPart;
  /** The mean cross-entropy of linear scores: its feeds, `weights` only where rows do not count alike. */
  readonly head: Table & {
    readonly targets: string;
    readonly weights: string | undefined;
    readonly softcap: number | undefined;
  };
  readonly tokens: number;
  readonly width: number;
}

/**
 * Of a section of a table, at most: its scores, and the part of its gradient that is added to the sum, lie beside it (GPT-2 of
 * 1.5B, 512 tokens: with sections as large as its blocks the head was what took most memory).
 */
const TABLE_ELEMENTS = 2 ** 22;

/** The name of the hidden state that a part is given. */
export const STATE = 'x';

/** The name of a section's parameter in the part that has it. */
export const parameterName = (entry: number): string => `p/${entry}`;

/** A trace with hidden states between layers replaced by inputs. */
interface Trace {
  /** Before block i, and after the last one. */
  readonly states: readonly Tensor[];
  readonly inputs: readonly Tensor[];
  readonly embedding: { readonly table: string; readonly rows_NC: Tensor; readonly ids: string };
  readonly loss: Tensor;
}

/**
 * Cuts what an objective computes for a micro-batch.
 *
 * @param batch samples of it
 * @param rows of a table in one section, at most. Default: by its width, no more than the largest layer has elements
 * @param entries what the sections hold: trained parameters, unless frozen ones are named with them
 * @throws MeanfieldError for an objective or an architecture that is not made of layers one behind the other
 */
export function cutGraph(
  objective: Objective<never>,
  batch: number,
  rows?: number,
  entries: readonly ParameterEntry[] = objective.layout.entries,
): CutGraph {
  if (objective.frozen.size > 0 && entries === objective.layout.entries)
    throw notLayered('some of its parameters are frozen');
  if (objective.teaching) throw notLayered('it learns from a teacher');
  // The states have names of their own here, so that it is seen who reads which.
  const first = trace(objective, entries, batch, { parameter: (name) => name, state: (layer) => `${STATE}/${layer}` });
  const { head } = headOf(first.loss);
  const specs = new Map(entries.map((entry) => [entry.name, entry]));
  const headName = nameOf(head.w_VC);
  const tables = new Set([first.embedding.table, headName]);
  const owned = new Set<string>();
  const layers = partsOf(first).map(([x_NC, y_NC]) => {
    const reached = reachedInputs([y_NC]);
    for (const other of [...first.inputs, first.embedding.rows_NC])
      if (other !== x_NC && reached.has(nameOf(other)))
        throw notLayered('one of its layers reads the states of others');
    const own = entries.filter(({ name }) => reached.has(name));
    for (const { name } of own) {
      if (owned.has(name) || tables.has(name)) throw notLayered(`${name} belongs to several of its layers`);
      owned.add(name);
    }
    return layerSection(own);
  });
  const missing = entries.find(({ name }) => !owned.has(name) && !tables.has(name));
  if (missing) throw notLayered(`${missing.name} is in none of its layers`);

  const { x_NC } = head;
  const [tokens, width] = x_NC.shape as [number, number];
  const largest = Math.max(...layers.map(({ size }) => size));
  const elements = Math.min(largest, TABLE_ELEMENTS);
  const most = rows ?? Math.max(1, Math.min(Math.floor(elements / width), Math.floor(CHUNK_ELEMENTS / tokens)));
  const sections: Section[] = [];
  const add = (more: readonly Section[]) => more.map((section) => sections.push(section) - 1);
  const tableOf = new Map([...tables].map((name) => [name, add(tableSections(specs.get(name)!, most))]));
  const numbers = add(layers);

  const places = new Map(layers.flatMap(({ entries }) => entries.map(({ name }, i) => [name, parameterName(i)])));
  const parameter = (name: string) => places.get(name) ?? `table/${name}`;
  const second = trace(objective, entries, batch, { parameter, state: () => STATE });
  const parts = partsOf(second).map(([x_NC, y_NC], i): LayerPart => {
    const inputs = layers[i]!.entries.map(({ name }) => second.parameters[name]!);
    return { section: numbers[i]!, x_NC, y_NC, parameters: inputs };
  });
  const { targets, weights, softcap } = headOf(second.loss);
  return {
    ...{ sections, tokens, width },
    embedding: { sections: tableOf.get(first.embedding.table)!, ids: second.embedding.ids },
    embed: parts[0]!,
    blocks: parts.slice(1, -1),
    final: parts.at(-1)!,
    head: { sections: tableOf.get(headName)!, targets, weights, softcap },
  };
}

/** What goes into each part and what comes out, from the embedding to what the head is given. */
function partsOf({ states, inputs, embedding, loss }: Trace): (readonly [Tensor, Tensor])[] {
  const before = [embedding.rows_NC, ...inputs];
  const after = [...states, headOf(loss).head.x_NC];
  return before.map((x_NC, i) => [x_NC, after[i]!] as const);
}

function trace(
  objective: Objective<never>,
  entries: readonly ParameterEntry[],
  batch: number,
  named: { parameter(name: string): string; state(layer: number | 'rows'): string },
): Trace & { readonly parameters: TracedParameters } {
  const feeds = objective.feeds(batch).map(({ name, shape, dtype }) => [name, input(name, shape, dtype)] as const);
  const [states, inputs]: [Tensor[], Tensor[]] = [[], []];
  let embedding: Trace['embedding'] | undefined;
  const parameters: TracedParameters = {
    ...Object.fromEntries(entries.map(({ name, shape }) => [name, input(named.parameter(name), shape)])),
    [LAYER]: (layer, x_NC) => {
      if (layer !== states.length) throw notLayered('it has layers beside those that write');
      states.push(x_NC);
      inputs.push(input(named.state(layer), x_NC.shape));
      return inputs.at(-1)!;
    },
    [EMBEDDING]: (name, ids_N, x_NC) => {
      if (embedding) throw notLayered('it embeds tokens more than once');
      embedding = { table: `${name}.weight`, rows_NC: input(named.state('rows'), x_NC.shape), ids: nameOf(ids_N) };
      return embedding.rows_NC;
    },
  };
  const loss = objective.loss(parameters, Object.fromEntries(feeds), batch);
  if (!embedding || states.length < 2) throw notLayered('it has no layers of the usual kind behind an embedding');
  return { states, inputs, embedding, loss, parameters };
}

/** The head of a loss that is nothing but the cross-entropy of linear scores. */
function headOf({ node }: Tensor) {
  if (node.operator.name !== 'linearCrossEntropy')
    throw notLayered('its loss is another than the cross-entropy of scores of a vocabulary');
  const [x_NC, w_VC, targets_N, weights_N] = node.inputs as [Tensor, Tensor, Tensor, Tensor?];
  return {
    head: { x_NC, w_VC },
    targets: nameOf(targets_N),
    weights: weights_N && nameOf(weights_N),
    softcap: node.attributes.softcap as number | undefined,
  };
}

/** The name of an input. */
function nameOf({ node }: Tensor): string {
  if (node.operator.name !== 'input') throw notLayered('its head or its tokens are made of others');
  return node.attributes.name as string;
}

const notLayered = (reason: string): MeanfieldError =>
  new MeanfieldError(
    `This model cannot be trained layer by layer: ${reason}. Models that write, such as gpt2, llama and qwen3, can, with ` +
      'all of their parameters trained to tell the next token.',
  );
