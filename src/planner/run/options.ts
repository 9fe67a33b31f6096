import { UsageError } from '../../base/errors.js';
import { inRange, type OptionDefinition, type OptionsOf, rangeInWords, rangeOf } from '../../base/option-table.js';
import { spelledError } from '../../base/spelling.js';
import type { Arrangement } from '../types.js';
import type { Calibration } from './calibration.js';
import { PLAN_OPTIONS } from './option-table.js';

/**
 * What may be asked of a plan. All of it may be left out.
 *
 * @category Planning a machine
 */
export interface PlanOptions extends Readonly<Omit<OptionsOf<typeof PLAN_OPTIONS>, 'zero'>> {
  /** ZeRO stage. */
  readonly zero?: Arrangement['zero'] | undefined;
  /** Moment at which the run starts, milliseconds since 1970. Default: now. */
  readonly now?: number | undefined;
  /** What one's own measurements say: `calibrate` makes it. Default: published measurements alone. */
  readonly calibration?: Calibration | undefined;
}

/** @throws UsageError naming the first option that cannot be, what it takes and what it got */
export function checkPlanOptions(options: PlanOptions): void {
  for (const [name, definition] of Object.entries<OptionDefinition>(PLAN_OPTIONS)) {
    const value = options[name as keyof typeof PLAN_OPTIONS];
    const expected = value === undefined ? undefined : expectation(definition, value);
    if (expected !== undefined) {
      const got = String(value).slice(0, 64);
      throw spelledError(UsageError, ({ option }) => `${option(name)}: expected ${expected}; got ${got}.`);
    }
  }
  if (options.tokens !== undefined && options.flop !== undefined) {
    throw spelledError(
      UsageError,
      ({ option }) =>
        `Both ${option('tokens')} and ${option('flop')} were given: one follows from the other. Give one of them.`,
    );
  }
}

/** What an option takes, where it does not take a value. */
function expectation(definition: OptionDefinition, value: unknown): string | undefined {
  const { kind, choices } = definition;
  if (choices !== undefined) return choices.includes(value as string) ? undefined : choices.join(', ');
  if (kind === 'text') return typeof value === 'string' ? undefined : 'a text';
  const range = rangeOf(definition);
  return typeof value === 'number' && inRange(value, range) ? undefined : rangeInWords(range);
}
