import type { Tokenizer } from '../../../data/index.js';
import type { Constraint } from '../completion.js';
import { GrammarMask, TokenGrammar } from './grammar-mask.js';
import { JSON_RULES } from './json-text.js';
import { programOf } from './program.js';
import { readRegex } from './regex.js';
import { type Rules, rule, withoutDeadEnds } from './rules.js';
import { readSchema } from './schema.js';
import { type Vocabulary, vocabularyOf } from './vocabulary.js';

/** Grammars that are kept for those who ask for the same again. */
const KEPT = 32;

/**
 * What constraints allow of the texts of one tokenizer. A grammar is read in time that grows with its text, whatever it
 * says: what it allows of the vocabulary is found out place by place, when a text comes there.
 */
export class Grammars {
  readonly #tokenizer: Tokenizer;
  readonly #size: number;
  readonly #end: ReadonlySet<number>;
  #vocabulary: Vocabulary | undefined;
  /** The one that was asked for last is the last. */
  readonly #kept = new Map<string, TokenGrammar>();

  /**
   * @param size ids below this may be chosen
   * @param end tokens that end a text
   */
  constructor(tokenizer: Tokenizer, { size, end }: { readonly size: number; readonly end: ReadonlySet<number> }) {
    this.#tokenizer = tokenizer;
    this.#size = size;
    this.#end = end;
  }

  /**
   * Reads the vocabulary, which the first constraint would else wait for.
   *
   * @throws UsageError where it cannot be held to a grammar
   */
  prepare(): void {
    this.#vocabulary ??= vocabularyOf(this.#tokenizer, this.#size);
  }

  /**
   * What a constraint allows of a new text.
   *
   * @throws UsageError for what is not supported, by name, and where the vocabulary cannot write it
   */
  mask(constraint: Constraint): GrammarMask {
    const key = JSON.stringify(constraint);
    let grammar = this.#kept.get(key);
    if (grammar) this.#kept.delete(key);
    else {
      this.prepare();
      const vocabulary = this.#vocabulary!;
      grammar = new TokenGrammar(programOf(withoutDeadEnds(rulesOf(constraint), vocabulary.alphabet)), vocabulary);
      if (this.#kept.size >= KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    }
    this.#kept.set(key, grammar);
    const bytesOf = (id: number) => this.#tokenizer.tokenBytes?.(id) ?? this.#tokenizer.decodeBytes([id]);
    return new GrammarMask(grammar, bytesOf, this.#end);
  }
}

/** @throws UsageError for a constraint that is not supported, by name */
export function rulesOf(constraint: Constraint): Rules {
  switch (constraint.kind) {
    case 'json':
      return new Map([['root', rule('object')], ...JSON_RULES]);
    case 'schema':
      return readSchema(constraint.schema);
    case 'regex':
      return new Map([['root', readRegex(constraint.regex, { search: false })]]);
  }
}
