import { UsageError } from '../../base/errors.js';

/** Demands of a number what its name must be, and says so with what came. @throws UsageError */
export type Demand = (name: string, ok: boolean, allowed: string, got: unknown) => void;

/** @param whose what the numbers are of: `An exchange` */
export function demandsOf(whose: string): Demand {
  return (name, ok, allowed, got) => {
    if (!ok) throw new UsageError(`${whose}'s ${name} must be ${allowed}; got ${got}.`);
  };
}

/** A whole number from 1. */
export const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;

export const isPositive = (value: number): boolean => value > 0 && Number.isFinite(value);

export const isNotNegative = (value: number): boolean => value >= 0 && Number.isFinite(value);
