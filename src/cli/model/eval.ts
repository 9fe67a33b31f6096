import type { OptionsOf } from '../../base/option-table.js';
import { load } from '../../inference/load.js';
import {
  type ADAPTER_OPTIONS,
  EVALUATE_OPTIONS,
  type MEMORY_OPTIONS,
  type PRECISION_OPTIONS,
} from '../../inference/option-table.js';
import type { ConversationEvaluation } from '../../inference/row-evaluator.js';
import type { ObjectiveName } from '../../objectives/names.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { grouped, table } from '../terminal/format.js';
import { interruptible } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { loadModel } from './load-model.js';

export type EvalFlags = OptionsOf<
  typeof EVALUATE_OPTIONS & typeof ADAPTER_OPTIONS & typeof PRECISION_OPTIONS & typeof MEMORY_OPTIONS
>;

/** Measures a model on files. */
export async function evaluateFiles(
  run: string,
  files: readonly string[],
  flags: EvalFlags,
  context: Context,
): Promise<number> {
  const { output } = context;
  const { precision = 'fp32', memory, adapter } = flags;
  const model = await loadModel(run, adapter, context, { precision, memory }, { evaluates: true });
  if (!model) return INTERRUPTED;
  const line = new ProgressLine(output);
  const done = await interruptible(context, async (signal) => {
    try {
      const progress = (tokens: number) => line.show(`${grouped(tokens)} tokens`);
      const notice = (message: string) => {
        output.event({ type: 'notice', message });
        line.note(`note: ${message}`);
      };
      const beside = { signal, progress, notice };
      // A field or a stride that is named says that the rows are texts.
      const texts = pickOptions(EVALUATE_OPTIONS, flags);
      const answers = Object.keys(texts).length === 0 ? await model.evaluateConversations(files, beside) : undefined;
      if (answers) {
        line.end();
        tellConversations(answers, output);
        return 0;
      }
      const result = await model.evaluate(files, { ...texts, ...beside });
      const { loss, perplexity, bitsPerByte, accuracy, tokens, bytes, unseen, unseenCost } = result;
      const single = precision === 'fp32' ? undefined : await singleLoss(run, files, flags, signal, line);
      line.end();
      output.event({
        type: 'result',
        ...deciding(model.readsSource ? 'seq2seq' : bitsPerByte === undefined ? 'masked' : 'causal', loss),
        ...{
          loss,
          perplexity,
          ...(bitsPerByte !== undefined && { bits_per_byte: bitsPerByte }),
          accuracy,
          tokens,
          bytes,
        },
        ...(single !== undefined && { precision, fp32_loss: single }),
        // Only a tokenizer of characters meets any.
        ...(unseen > 0 && { unseen, unseen_nats: unseen * unseenCost }),
      });
      output.text(
        table([
          ['loss', `${loss.toFixed(4)} nats per token`],
          ...(single === undefined
            ? []
            : [['in fp32', `${single.toFixed(4)}, so ${change(loss, single)} in ${precision}`]]),
          ['perplexity', perplexity.toFixed(2)],
          ...(bitsPerByte === undefined ? [] : [['bits per byte', bitsPerByte.toFixed(4)]]),
          ['accuracy', `${(100 * accuracy).toFixed(2)} %`],
          ['tokens', grouped(tokens)],
          ['bytes', grouped(bytes)],
        ]),
      );
      return 0;
    } finally {
      line.end();
      await model.close();
    }
  });
  return done ?? INTERRUPTED;
}

/** What the loss is in single precision, read by the same windows. */
async function singleLoss(
  run: string,
  files: readonly string[],
  flags: EvalFlags,
  signal: AbortSignal,
  line: ProgressLine,
): Promise<number> {
  await using model = await load(run);
  const progress = (tokens: number) => line.show(`${grouped(tokens)} tokens in fp32`);
  return (await model.evaluate(files, { ...pickOptions(EVALUATE_OPTIONS, flags), signal, progress })).loss;
}

/** By how much a loss is above another. */
function change(loss: number, of: number): string {
  const percent = (100 * (loss - of)) / of;
  return `${percent < 0 ? '' : '+'}${percent.toFixed(2)} %`;
}

function tellConversations(result: ConversationEvaluation, output: Output): void {
  const { objective, loss, perplexity, accuracy, tokens, rows } = result;
  output.event({ type: 'result', ...deciding(objective, loss), loss, perplexity, accuracy, tokens, rows });
  output.text(
    table([
      ['loss', `${loss.toFixed(4)} nats per learned token`],
      ['perplexity', perplexity.toFixed(2)],
      ['accuracy', `${(100 * accuracy).toFixed(2)} %`],
      ['learned tokens', grouped(tokens)],
      ['rows', grouped(rows)],
    ]),
  );
}

/** What was measured, and by which figure one model is better than another. */
const deciding = (objective: ObjectiveName, loss: number) => ({ objective, metric: 'loss', value: loss });
