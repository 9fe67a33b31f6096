import { BpeTokenizer } from '../tokenizers/bpe.js';
import { WordCounter } from '../tokenizers/word-counts.js';
import { encodeBatch } from './encode-batch.js';
import type { WorkerAnswer, WorkerRequest } from './worker-messages.js';

/** Does the work of one thread: counts the words of batches, then encodes batches with the tokenizer made of them. */
export class BpeEngine {
  #counter = new WordCounter();
  #tokenizer: BpeTokenizer | undefined;

  handle(request: WorkerRequest): WorkerAnswer {
    switch (request.type) {
      case 'count': {
        const { bytes, segments } = request.batch;
        for (const [i, { start }] of segments.entries()) {
          this.#counter.addText(bytes, start, segments[i + 1]?.start ?? bytes.length);
        }
        return { done: true };
      }
      case 'counts': {
        const counts = this.#counter.result();
        this.#counter = new WordCounter();
        return { counts };
      }
      case 'model':
        this.#tokenizer = new BpeTokenizer(request.model);
        return { done: true };
      case 'encode':
        if (this.#tokenizer === undefined) throw new Error('The thread was given text before a tokenizer.');
        return { ids: encodeBatch(this.#tokenizer, request.batch) };
    }
  }
}
