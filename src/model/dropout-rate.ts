import type { JsonObject } from '../base/json.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';

/** Where published classes keep the rates of dropout; each has some of these keys. */
const KEYS = [
  'resid_pdrop',
  'embd_pdrop',
  'attn_pdrop',
  'hidden_dropout_prob',
  'attention_probs_dropout_prob',
  'attention_dropout',
  'dropout',
  'embedding_dropout',
  'mlp_dropout',
  'dropout_rate',
];

/** The same model, its `config.json` telling the rate that it is trained with, so that Python goes on with it. */
export function withDropoutRate(model: Model, rate: number): Model {
  const read = new PublishedConfig(model.architecture.name, model.config);
  const rates = KEYS.filter((key) => read.value(key) !== undefined).map((key) => [key, rate] as const);
  return Model.fromConfig({ ...(model.config as JsonObject), ...Object.fromEntries(rates) });
}
