import type { Arrangement, FrameworkHabits } from '../types.js';

/** Bytes of one device's model states, and what of them offloading puts on the host. */
export interface StateBytes {
  readonly parameters: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly host: number;
}

/**
 * Model states with ZeRO (arXiv 1910.02054, figure 1; K = 12 for Adam in mixed precision): stage 1 splits the
 * optimiser's state over the data-parallel ranks, stage 2 the gradients too, stage 3 also the parameters. Offloading
 * as DeepSpeed does it: the optimiser's state with the gradients it needs, and with stage 3 the parameters.
 *
 * @param parameters of one device, before ZeRO splits them
 */
export function stateBytes(parameters: number, arrangement: Arrangement, habits: FrameworkHabits): StateBytes {
  const ranks = arrangement.data * arrangement.context;
  const at = (stage: number): number => (arrangement.zero >= stage ? ranks : 1);
  const states = {
    parameters: (parameters * habits.parameterBytes) / at(3),
    gradients: (parameters * habits.gradientBytes) / at(2),
    optimizer: (parameters * habits.optimizerBytes) / at(1),
  };
  if (arrangement.offload === 'none') return { ...states, host: 0 };
  const moved = arrangement.offload === 'optimizer+parameters' ? states.parameters : 0;
  return {
    parameters: states.parameters - moved,
    gradients: arrangement.zero >= 2 ? 0 : states.gradients,
    optimizer: 0,
    host: states.optimizer + moved + (arrangement.zero >= 2 ? states.gradients : 0),
  };
}
