import { expertsOf } from '../catalogue/flop.js';
import { layerParameters, outerParameters } from '../catalogue/parameters.js';
import type { Arrangement, Workload } from '../types.js';

/** How layers are cut into stages. */
export interface Stages {
  /** Layers of the fullest stage, and of the last one (which has the head too). */
  readonly layers: number;
  readonly lastLayers: number;
}

/** Cuts layers into `pipeline · interleave` parts as evenly as whole layers go, the fuller ones first. */
export function cutStages(w: Workload, arrangement: Arrangement, headAsLayer: boolean): Stages {
  const { pipeline, interleave } = arrangement;
  if (pipeline === 1) return { layers: w.layers, lastLayers: w.layers };
  const parts = pipeline * interleave;
  if (headAsLayer && (w.layers + 2) % parts === 0 && w.layers % parts !== 0) {
    const layers = (w.layers + 2) / pipeline;
    return { layers, lastLayers: layers - 1 };
  }
  const layers = Math.ceil(w.layers / parts) * interleave;
  const last = w.layers - layers * (pipeline - 1);
  return { layers, lastLayers: Math.max(0, Math.min(layers, last)) };
}

/** Parameters that one device holds of the fullest stage (the first, with the embedding), before ZeRO splits them. */
export function deviceParameters(w: Workload, arrangement: Arrangement, stages: Stages): number {
  const { tensor, pipeline, expert } = arrangement;
  const layer = layerParameters(w);
  const outer = outerParameters(w);
  // Shared experts, and layers without any, are among what is split like attention.
  const count = w.experts ? w.experts.count * expertsOf(w).mixed : 1;
  const [all, own] = w.experts ? [count, count / expert] : [1, 1];
  // What the model's own count has beyond the usual parts (attention to an encoder, more norms) is split like them.
  const split = (w.parameters - outer) / w.layers - all * layer.feedForward - layer.router - layer.norms;
  const one = (split + own * layer.feedForward) / tensor + layer.router + layer.norms;
  const table = w.vocabulary * w.hidden;
  // A later stage holds its own copy of a tied table; the first and the last stage are alike then.
  const atEdge = pipeline === 1 ? outer : table + (w.positions === 'learned' ? w.context * w.hidden : 0);
  return stages.layers * one + atEdge / tensor;
}
