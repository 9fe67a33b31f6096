import type { BaseStorage } from '../model/base-storage.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Model } from '../model/model.js';

/** What objectives over windows of a model's tokens share: the model's vectors, and how many tokens it sees of a window. */
export abstract class OfWindows {
  /** @param context tokens of a window */
  constructor(
    protected readonly model: Model,
    protected readonly context: number,
  ) {}

  get layout(): ParameterLayout {
    return this.model.trained;
  }

  get frozen(): ParameterLayout {
    return this.model.frozen;
  }

  get storage(): BaseStorage | undefined {
    return this.model.storage;
  }

  get tokensPerSample(): number {
    return this.context;
  }
}
