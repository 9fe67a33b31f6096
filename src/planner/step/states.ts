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
  const { zero, offload } = arrangement;
  // With a pipeline what ZeRO-3 gathered stays until the step's end, and gradients are summed whole: micro-batches of
  // both directions alternate, and would gather each layer anew every time.
  const whole = zero === 3 && arrangement.pipeline > 1;
  const held =
    (parameters * habits.parameterBytes) / (zero >= 3 ? ranks : 1) + (whole ? parameters * habits.gatherBytes : 0);
  const gradients = whole
    ? parameters * habits.reduceBytes
    : (parameters * habits.gradientBytes) / (zero >= 2 ? ranks : 1);
  const optimizer = (parameters * habits.optimizerBytes) / (zero >= 1 ? ranks : 1);
  if (offload === 'none') return { parameters: held, gradients, optimizer, host: 0 };
  const moved = offload === 'optimizer+parameters' ? held : 0;
  const movedGradients = zero >= 2 ? gradients : 0;
  return {
    parameters: held - moved,
    gradients: gradients - movedGradients,
    optimizer: 0,
    host: optimizer + moved + movedGradients,
  };
}
