import { UsageError } from '../../base/errors.js';
import type { ScalingLaw } from './laws.js';
import { lossOf } from './parametric.js';

/** FLOP of one petaflop/s for a day. */
const PF_DAY = 1e15 * 86400;

/** FLOP of training a parameter on a token: forward 2, backward 4. */
const FLOP_PER_PARAMETER_TOKEN = 6;

/**
 * What may be spent: FLOP; dollars or seconds at a rate that the machine sustains (its utilisation and stops included);
 * or the compute that is best for a model of so many parameters.
 */
export type Budget =
  | { readonly flop: number }
  | { readonly usd: number; readonly flopPerUsd: number }
  | { readonly seconds: number; readonly flopPerSecond: number }
  | { readonly parameters: number };

/** The model that reaches the least loss for a budget. */
export interface Optimum {
  readonly parameters: number;
  readonly tokens: number;
  /** 6 · parameters · tokens. */
  readonly flop: number;
  /** Expected, nats a token, on the text and tokenizer that the law was fitted on. */
  readonly loss: number;
  readonly law: string;
  /** Whether parameters or tokens lie beyond the runs that the law was fitted on. */
  readonly extrapolated: boolean;
}

/**
 * Parameters and tokens of least loss for C FLOP. A parametric law has N = G·(C/6)^(β/(α+β)) and D = C/6N with
 * G = (αA/βB)^(1/(α+β)) (arXiv 2203.15556, equation 4); Kaplan's has N as a power of C (arXiv 2001.08361, table 6).
 *
 * @throws UsageError when a figure of the budget is not a number above 0
 */
export function computeOptimal(budget: Budget, law: ScalingLaw): Optimum {
  for (const [name, value] of Object.entries(budget))
    if (!(value > 0) || !Number.isFinite(value))
      throw new UsageError(`A budget's ${name} must be a number above 0; got ${value}.`);
  const [scale, exponent] = growthOf(law);
  const parameters = 'parameters' in budget ? budget.parameters : scale * flopOf(budget) ** exponent;
  const flop = 'parameters' in budget ? (parameters / scale) ** (1 / exponent) : flopOf(budget);
  const tokens = flop / (FLOP_PER_PARAMETER_TOKEN * parameters);
  return {
    parameters,
    tokens,
    flop,
    loss:
      law.form === 'parametric'
        ? lossOf(law, parameters, tokens)
        : (law.lossPfDays / (flop / PF_DAY)) ** law.lossExponent,
    law: law.name,
    extrapolated: parameters > law.upTo.parameters || tokens > law.upTo.tokens,
  };
}

function flopOf(budget: Exclude<Budget, { readonly parameters: number }>): number {
  if ('flop' in budget) return budget.flop;
  return 'usd' in budget ? budget.usd * budget.flopPerUsd : budget.seconds * budget.flopPerSecond;
}

/** The scale and exponent of N = scale · FLOP^exponent. */
function growthOf(law: ScalingLaw): readonly [scale: number, exponent: number] {
  if (law.form === 'frontier')
    return [law.parametersAtPfDay / PF_DAY ** law.parametersExponent, law.parametersExponent];
  const { A, B, alpha, beta } = law;
  const exponent = beta / (alpha + beta);
  const g = ((alpha * A) / (beta * B)) ** (1 / (alpha + beta));
  return [g / FLOP_PER_PARAMETER_TOKEN ** exponent, exponent];
}
