import { Sampler } from '../sampler.js';
import type { SamplingRequest } from './completion.js';
import { applyMask, type TokenMask } from './token-mask.js';

/**
 * Chooses the tokens of one text: what is asked for is added to their scores, then what a grammar forbids is left out, then
 * the {@link Sampler} has its turn. The same seed and scores give the same text.
 */
export class TokenChoice {
  readonly #sampler: Sampler;
  readonly #written = new Map<number, number>();
  /** Whether scores are changed before one is chosen. */
  readonly #plain: boolean;
  #scores = new Float32Array(0);

  constructor(
    private readonly request: SamplingRequest,
    private readonly mask?: TokenMask | undefined,
  ) {
    const { logitBias, frequencyPenalty = 0, presencePenalty = 0 } = request;
    this.#sampler = new Sampler(request);
    this.#plain = !mask && !(logitBias && logitBias.size > 0) && frequencyPenalty === 0 && presencePenalty === 0;
  }

  /**
   * @param logits scores by id, which stay as they are
   * @throws MeanfieldError when a score is not a number, as in a model whose training failed
   */
  choose(logits: Float32Array): number {
    const id = this.#sampler.sample(this.#plain ? logits : this.#changed(logits));
    if (!this.#plain) this.#written.set(id, (this.#written.get(id) ?? 0) + 1);
    this.mask?.accept(id);
    return id;
  }

  /** Whether nothing may follow, as a grammar has it. */
  get ended(): boolean {
    return this.mask?.ended ?? false;
  }

  #changed(logits: Float32Array): Float32Array {
    const { logitBias = [], frequencyPenalty = 0, presencePenalty = 0 } = this.request;
    if (this.#scores.length !== logits.length) this.#scores = new Float32Array(logits.length);
    const scores = this.#scores;
    scores.set(logits);
    for (const [id, bias] of logitBias) if (id < scores.length) scores[id]! += bias;
    for (const [id, times] of this.#written) scores[id]! -= frequencyPenalty * times + presencePenalty;
    if (this.mask) applyMask(this.mask, scores);
    return scores;
  }
}
