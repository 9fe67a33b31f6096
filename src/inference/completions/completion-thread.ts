import { setImmediate as othersTurn, setTimeout } from 'node:timers/promises';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import type { ThreadHost } from '../../base/threads/serve.js';
import { Turns } from '../../base/turns.js';
import { EncodeError, encodeBeginning } from '../../data/index.js';
import { ConversationPrompts } from '../conversation.js';
import { type CompletionCommands, type CompletionStep, LOAD } from './messages.js';
import { type OpenedModel, openInThread } from './open-served.js';
import { TokenTexts } from './token-texts.js';

/** Milliseconds from a model's opening until what took long to make is kept. */
const KEEP_MS = 2000;

type Command = keyof CompletionCommands;
type Handler<K extends Command> = (
  input: CompletionCommands[K][0],
  onStep: (step: CompletionStep) => void,
) => Promise<CompletionCommands[K][1]>;

/** A model in its thread: carries out what its owner asks for, texts that are written side by side. */
export class CompletionThread implements ThreadHost<CompletionStep> {
  #open: OpenedModel | undefined;
  #texts: TokenTexts | undefined;
  #prompts: ConversationPrompts | undefined;
  #load: Int32Array | undefined;
  /** Ends once what the next start needs is kept. */
  #keeping: Promise<void> | undefined;
  readonly #close = new AbortController();
  /** While it writes. */
  #writing: Promise<void> | undefined;
  #closing = false;
  /** What is to be done when work with a key is given up. */
  readonly #cancels = new Map<number, () => void>();
  readonly #readings = new Turns();

  readonly #handlers: { readonly [K in Command]: Handler<K> } = {
    open: async (request) => {
      this.#open = await openInThread(request);
      this.#texts = new TokenTexts(this.#open.tokenizer, this.#open.tokenizerFiles);
      this.#load = new Int32Array(request.load);
      this.#keeping = this.#keepLater();
      return this.#open.answer;
    },
    encode: async ({ text, special, most }) => this.#texts!.encode(text, special, most),
    decode: async (ids) => this.#open!.tokenizer.decode(ids),
    tokenBytes: async (ids) => this.#texts!.bytesOf(ids),
    chatPrompt: async ({ messages, tools, most = Number.POSITIVE_INFINITY }) => {
      const { tokenizer, tokenizerFiles } = this.#open!;
      this.#prompts ??= new ConversationPrompts(tokenizerFiles, tokenizer);
      const { prompt, stop } = await this.#prompts.prompt(messages, tools);
      return { prompt: [...encodeBeginning(tokenizer, prompt, most)], stop: stop === '' ? [] : [stop] };
    },
    complete: ({ key, request }, onStep) => {
      const completions = this.#open!.completions!;
      return new Promise((resolve, reject) => {
        const ended = (error?: unknown) => {
          this.#cancels.delete(key);
          if (error === undefined) resolve({});
          else reject(error);
        };
        const refused = completions.add(key, request, { event: onStep, ended });
        if (refused) return resolve(refused);
        this.#cancels.set(key, () => completions.cancel(key));
        this.#tell();
        this.#writing ??= this.#write();
      });
    },
    embed: ({ key, texts }) =>
      this.#reading(key, async (signal, read) => ({
        vectors: await this.#open!.embedder!.embed(texts, { signal, read }),
      })),
    classify: ({ key, texts }) =>
      this.#reading(key, async (signal, read) => {
        const classifier = this.#open!.classifier!;
        return { labels: classifier.labels, scores: await classifier.classify(texts, signal, read) };
      }),
    cancel: async (key) => {
      this.#cancels.get(key)?.();
      return null;
    },
    close: async () => {
      this.#closing = true;
      this.#close.abort();
      await this.#writing;
      await this.#prompts?.close();
      await this.#keeping;
      await this.#open?.close();
      return null;
    },
  };

  handle<K extends Command>(
    name: K,
    input: CompletionCommands[K][0],
    onStep: (step: CompletionStep) => void,
  ): Promise<CompletionCommands[K][1]> {
    return this.#handlers[name](input, onStep).catch((error: unknown) => {
      // What the tokenizer cannot express is the fault of whoever asked.
      throw error instanceof EncodeError ? new UsageError(error.message) : error;
    });
  }

  cancel(): void {}

  /** Writes until nothing is left to be written; between steps others have their turn, such as who gives something up. */
  async #write(): Promise<void> {
    const completions = this.#open!.completions!;
    try {
      while (!completions.idle) {
        // Those that came together begin together.
        await othersTurn();
        if (this.#closing) throw new MeanfieldError('The model was closed before this text was written.');
        await completions.step();
        this.#tell();
      }
    } catch (error) {
      completions.abort(error);
    } finally {
      this.#writing = undefined;
    }
  }

  /** Keeps what the next start needs, when the first requests have their answers. */
  async #keepLater(): Promise<void> {
    try {
      await setTimeout(KEEP_MS, undefined, { signal: this.#close.signal });
      // Not between two tokens of a text, nor two pieces of a prompt: what needs it before makes it.
      while (this.#writing) await this.#writing;
      this.#close.signal.throwIfAborted();
      this.#prepare();
      await this.#open!.keep();
    } catch {
      // Closed before, or the disk is full: the next start takes its time.
    }
  }

  #prepare(): void {
    try {
      this.#open!.prepare();
    } catch {
      // Whoever asks for a grammar is told why there is none.
    }
  }

  #tell(): void {
    const load = this.#open!.completions!.load;
    for (const [name, place] of Object.entries(LOAD))
      Atomics.store(this.#load!, place, load[name as keyof typeof LOAD]);
  }

  /** Reads texts, one request after another. @returns what comes of it, and the tokens that were read */
  async #reading<T extends object>(
    key: number,
    work: (signal: AbortSignal, read: (tokens: number) => void) => Promise<T>,
  ): Promise<T & { readonly tokens: number }> {
    const controller = new AbortController();
    this.#cancels.set(key, () => controller.abort());
    const end = await this.#readings.take(controller.signal).catch((error: unknown) => {
      this.#cancels.delete(key);
      throw error;
    });
    try {
      let tokens = 0;
      const result = await work(controller.signal, (all) => {
        tokens = all;
      });
      return { ...result, tokens };
    } finally {
      this.#cancels.delete(key);
      end();
    }
  }
}
