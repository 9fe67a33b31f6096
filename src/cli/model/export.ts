import type { OptionsOf } from '../../base/option-table.js';
import { exportModel } from '../../export/export-model.js';
import { EXPORT_OPTIONS } from '../../export/option-table.js';
import type { ExportOptions } from '../../export/options.js';
import { bringModel } from '../hub/bring-model.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { interruptible } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';

export type ExportFlags = OptionsOf<typeof EXPORT_OPTIONS>;

/** Writes a model in another form. */
export async function exportTo(model: string, flags: ExportFlags, context: Context): Promise<number> {
  const { output } = context;
  if (!(await bringModel(model, context))) return INTERRUPTED;
  const line = new ProgressLine(output);
  const done = await interruptible(context, async (signal) => {
    try {
      const { path, to, dtype, files, ...written } = await exportModel(model, {
        ...(pickOptions(EXPORT_OPTIONS, flags) as Pick<ExportOptions, 'to'>),
        signal,
        progress: (now) =>
          line.show(
            now.stage === 'reading' ? `reading ${model}` : `writing ${bytes(now.bytes)} of ${bytes(now.ofBytes)}`,
          ),
        notice: (message) => {
          output.event({ type: 'notice', message });
          line.note(`note: ${message}`);
        },
      });
      line.end();
      output.event({ type: 'result', path, to, dtype, bytes: written.bytes, files });
      output.text(
        `${path}: ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${bytes(written.bytes)}, ${dtype}\n`,
      );
      return 0;
    } finally {
      line.end();
    }
  });
  return done ?? INTERRUPTED;
}
