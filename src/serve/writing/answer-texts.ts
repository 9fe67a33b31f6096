import type { CompletionEvent, CompletionRequest, ServedModel } from '../../inference/completions/completion.js';
import type { Call } from '../api/call.js';
import { answerId } from './answer.js';
import { begun, Choices, type UsageCount } from './choices.js';
import { type ShapeFields, shapeFault } from './sampling.js';

/** What the pieces of a stream have in common. */
interface StreamParts {
  readonly head: object;
  /** Of a stream that ends with its usage: every piece has a `usage` then, null but for the last. */
  readonly usage?: (() => UsageCount) | undefined;
}

/**
 * Pieces of texts as the events of a stream. What fails is its last event, in the form of an error's answer; the status
 * is sent by then.
 *
 * @param pieces each a `choices[0]`
 */
async function* streamed(
  call: Call,
  pieces: AsyncIterable<object>,
  { head, usage }: StreamParts,
): AsyncGenerator<object, void> {
  const rest = usage === undefined ? {} : { usage: null };
  try {
    for await (const piece of pieces) yield { ...head, choices: [piece], ...rest };
    if (usage !== undefined) yield { ...head, choices: [], usage: usage() };
  } catch (thrown) {
    yield call.failed(thrown).body;
  }
}

/** One text of an answer: what comes of its events, and how that is put together. */
interface AnsweredText<Piece extends object> {
  pieces(event: CompletionEvent): AsyncIterable<Piece>;
  collector(): { add(piece: Piece): void; choice(): object };
}

/** How texts are told. */
export interface TextAnswer<Piece extends object> {
  /** What the answer's name begins with. */
  readonly id: string;
  /** What a whole answer is called, and what an event of a stream. */
  readonly object: string;
  readonly event: string;
  /** For each request. */
  readonly texts: readonly AnsweredText<Piece>[];
}

/** What a request says of how its texts come. */
interface TextBody {
  readonly n?: number | undefined;
  readonly stream?: boolean | undefined;
  readonly stream_options?: { readonly include_usage?: boolean | undefined } | undefined;
}

/** Has texts written, and answers with them as they come or, without `stream`, with all of them at the end. */
export async function answerTexts<Piece extends object>(
  call: Call<TextBody & ShapeFields>,
  model: ServedModel,
  requests: readonly CompletionRequest[],
  { id, object, event: chunk, texts }: TextAnswer<Piece>,
): Promise<Response> {
  const { body, service } = call;
  const choices = new Choices(model, requests, body.n ?? 1, service.metrics);
  const events = await begun(choices.events(call.signal), service.timing.pingMs).catch((error: unknown) => {
    throw shapeFault(error, body);
  });
  const head = {
    id: answerId(id),
    object: body.stream === true ? chunk : object,
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    system_fingerprint: service.version,
  };
  if (body.stream === true) {
    const includeUsage = body.stream_options?.include_usage === true;
    const pieces = async function* () {
      for await (const { index, event } of events) yield* texts[index]!.pieces(event);
    };
    return call.stream(streamed(call, pieces(), { head, usage: includeUsage ? () => choices.usage : undefined }));
  }
  const whole = texts.map((text) => text.collector());
  for await (const { index, event } of events)
    for await (const piece of texts[index]!.pieces(event)) whole[index]!.add(piece);
  return Response.json({ ...head, choices: whole.map((each) => each.choice()), usage: choices.usage });
}
