import type { ServedModel } from '../../inference/completions/completion.js';
import { wrongParameter } from '../http/http-error.js';

/** What a model of a task is, and where it is asked. */
const MODELS: Readonly<Record<string, readonly [is: string, routes: string]>> = {
  complete: ['writes', '/v1/chat/completions and /v1/completions'],
  embed: ['makes vectors', '/v1/embeddings and /v1/rerank'],
  classify: ['classifies', '/v1/classify and /v1/moderations'],
  rerank: ['ranks', '/v1/rerank'],
};

/**
 * Requires that a model can do what a route is for.
 *
 * @throws HttpError 400 that says what it can do
 */
export function requireTask(
  model: ServedModel,
  task: 'complete' | 'embed' | 'classify' | 'rerank',
  route: string,
): void {
  if (model.tasks.has(task)) return;
  const can = [...model.tasks].map((each) => MODELS[each]!);
  const is = can.length === 0 ? 'answers nothing' : can.map(([what, routes]) => `${what}: ask ${routes}`).join('; it ');
  throw wrongParameter(
    'model',
    `${route} wants a model that ${MODELS[task]![0]}. The model "${model.name}" ${is}.`,
    'model_not_supported',
  );
}
