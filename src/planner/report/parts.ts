import type { MemoryUse, StepTime } from '../types.js';

/** Parts of a device's memory, as they are called, in the order in which they are shown. */
export const MEMORY_PARTS: readonly (readonly [keyof MemoryUse, string])[] = [
  ['parameters', 'parameters'],
  ['gradients', 'gradients'],
  ['optimizer', 'optimiser'],
  ['activations', 'activations'],
  ['logits', 'logits'],
  ['buffers', 'buffers'],
];

/** Parts of a step's time, as they are called, in the order in which they are shown. */
export const TIME_PARTS: readonly (readonly [keyof StepTime, string])[] = [
  ['matrices', 'matrix products'],
  ['memoryBound', 'passes over memory'],
  ['recompute', 'recomputation'],
  ['tensorCommunication', 'tensor communication'],
  ['pipelineCommunication', 'between stages'],
  ['pipelineBubble', 'pipeline bubble'],
  ['dataCommunication', 'gradients, parameters'],
  ['optimizer', 'optimiser'],
  ['offload', 'offloaded state'],
];

/** What a plan assumes of a cluster, a line for each source with the fields that rest on it. */
export function estimatesOf(
  sources: Readonly<Record<string, { readonly kind: string; readonly where: string }>>,
): string[] {
  const fields = new Map<string, string[]>();
  for (const [field, { kind, where }] of Object.entries(sources)) {
    if (kind !== 'estimate') continue;
    fields.set(where, [...(fields.get(where) ?? []), field]);
  }
  return [...fields].map(([where, names]) => `${names.join(', ')}: ${where}.`);
}
