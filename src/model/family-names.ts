/** The architectures that can be trained, as `model_type` names them. */
export const FAMILIES = ['gpt2', 'llama', 'bert'] as const;

/**
 * The architectures that can be trained, as `model_type` names them.
 *
 * @category Training
 */
export type FamilyName = (typeof FAMILIES)[number];
