/*
 * A step of generation, cut between its layers as `cutGraph` cuts an objective.
 * Shape suffixes: T new tokens; C width.
 */
import { encode, input, type Program, type Target, type Tensor } from '../../graph/index.js';
import { EMBEDDING, LAYER, type TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { type CutGraph, parameterName, STATE } from '../../training/streamed/cut-graph.js';
import { attendToSlots, type StepSize } from '../decoder-program.js';
import { partsOf } from './scorer.js';

/**
 * The programs of a step, of embedding, blocks and what is behind them. Each takes the hidden state before it, named
 * {@link STATE}, the parameters of its section and what `traceStep` takes of a cache of one layer, and gives the state after
 * it, `y` [T, C], and what belongs into that cache: blocks that are alike have the same program.
 *
 * @param cut which sections have which parameters
 */
export function traceStepParts(model: Model, cut: CutGraph, size: StepSize, target: Target): Program[] {
  const parts = partsOf(cut);
  const places = new Map(
    parts.flatMap(({ section }) => cut.sections[section]!.entries.map(({ name }, i) => [name, parameterName(i)])),
  );
  const states: Tensor[] = [];
  const cached: Record<string, Tensor>[] = parts.map(() => ({}));
  const parameters: TracedParameters = {
    ...Object.fromEntries(
      model.layout.entries.map(({ name, shape }) => [name, input(places.get(name) ?? `table/${name}`, shape)]),
    ),
    [LAYER]: (_layer, x_TC) => {
      states.push(x_TC);
      return input(STATE, x_TC.shape);
    },
    [EMBEDDING]: (_name, _ids_T, x_TC) => input(STATE, x_TC.shape),
  };
  const hidden_TC = model.forward(parameters, {
    ids_N: input('ids', [size.tokens], 'int64'),
    batch: 1,
    positions_T: input('positions', [size.tokens], 'int64'),
    // The embedding is the first part; every cache is the only one of its block.
    attend: attendToSlots(model, size, (layer) => ({ number: 0, outputs: cached[layer + 1]! })),
    reach: size.reach,
  });
  return [...states, hidden_TC].map((y, i) => encode({ y, ...cached[i] }, target));
}
