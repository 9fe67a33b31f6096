import type { OptionsOf } from '../../base/option-table.js';
import type { PUSH_OPTIONS } from '../../hub/remote/option-table.js';
import { pushFolder } from '../../hub/remote/push-folder.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { interruptible } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';

export type PushFlags = OptionsOf<typeof PUSH_OPTIONS>;

/** Puts a folder on the hub. */
export async function push(folder: string, model: string, flags: PushFlags, context: Context): Promise<number> {
  const { output } = context;
  const line = new ProgressLine(output);
  const done = await interruptible(context, async (signal) => {
    try {
      const { private: hidden, branch, message } = flags;
      const pushed = await pushFolder(folder, model, {
        ...{ private: hidden, branch, message, signal },
        progress: ({ stage, file = '', fraction }) =>
          line.show(`${stage} ${file}${fraction === undefined ? '' : ` ${Math.floor(100 * fraction)} %`}`),
      });
      line.end();
      output.event({ type: 'result', ...pushed });
      output.text(`${pushed.url}: ${pushed.files.length} files, ${bytes(pushed.bytes)}, commit ${pushed.commit}\n`);
      return 0;
    } finally {
      line.end();
    }
  });
  return done ?? INTERRUPTED;
}
