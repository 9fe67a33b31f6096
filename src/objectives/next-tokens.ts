/*
 * Shape suffixes: N tokens = T positions × B windows, time-major: element t · B + b; C width of the student, D of the
 * teacher; V vocabulary.
 */
import { UsageError } from '../base/errors.js';
import { linearDistillation, split, type Tensor } from '../graph/index.js';
import type { TracedParameters } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import { headLoss } from './head-loss.js';
import type { Teaching } from './objective.js';
import { OfWindows } from './of-windows.js';

/** A model whose probabilities another one learns, and how. */
export interface Teacher {
  readonly model: Model;
  /** The share of its probabilities in what is learned, from 0 to 1; the rest is the share of the tokens themselves. */
  readonly weight: number;
  /** Above 0: by what both models' scores are divided where they are compared. */
  readonly temperature: number;
}

/** What objectives share that learn the token after each, by a model that sees the past alone. */
export abstract class NextTokens extends OfWindows {
  readonly teaching: Teaching | undefined;

  /** @param teacher whose probabilities are learned beside the tokens; none where left out */
  constructor(model: Model, context: number, teacher?: Teacher) {
    super(model, context);
    this.teaching = teacher && this.#taughtBy(teacher);
  }

  /** The last hidden state of a micro-batch, [N, C], of the model that learns or of its teacher. */
  protected abstract hidden(
    model: Model,
    parameters: TracedParameters,
    feeds: Readonly<Record<string, Tensor>>,
    batch: number,
  ): Tensor;

  loss(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    const x_NC = this.hidden(this.model, parameters, feeds, batch);
    return headLoss(this.model, parameters, x_NC, feeds);
  }

  /** The graph's mean is over all places, learned or not; how many are learned is the weight. */
  unit(batch: number): number {
    return batch * this.context;
  }

  #taughtBy({ model: teacher, weight, temperature }: Teacher): Teaching {
    if (teacher.architecture.sees !== 'past')
      throw new UsageError(
        `A ${teacher.architecture.name} model sees the tokens that it would have to tell, so it can teach nobody to ` +
          'write. Take one that writes, such as gpt2 or llama.',
      );
    return {
      layout: teacher.layout,
      // Parameters of the teacher carry no dropout: it says what it was published to say.
      loss: (parameters, feeds, batch, own) => {
        const x_NC = this.hidden(this.model, parameters, feeds, batch);
        const t_ND = this.hidden(teacher, own, feeds, batch);
        const [rows, known] = [this.model, teacher].map(({ dimensions }) => dimensions.vocabulary) as [number, number];
        const head = teacher.head(own);
        return linearDistillation(
          x_NC,
          this.model.head(parameters),
          feeds.targets!,
          t_ND,
          // What it scores beyond the student's rows are no tokens of their tokenizer.
          known > rows ? split(head, 0, [rows, known - rows])[0]! : head,
          {
            ...{ share: weight, temperature, weights: feeds.weights },
            ...{ softcap: this.model.softcap, teacherSoftcap: teacher.softcap },
          },
        );
      },
    };
  }
}
