import { bytesPerToken } from './figures.js';
import { withCluster } from './live-cluster.js';
import { narrow, type Setting, words } from './settings.js';

/** Sequences of a step, over all workers: the joint batch is what one replica takes. */
const BATCH = 24;

/** A run of 4×128 characters whose validation loss counts. */
export interface LossRun {
  readonly name: string;
  readonly workers: 1 | 2 | 4;
  readonly options: string;
  /** Threads of a worker; one unless given. */
  readonly threads?: number;
}

/** Runs it to so many tokens, or takes what was kept under the key. */
export function runLoss(
  setting: Setting,
  key: string,
  { workers, options, threads = 1 }: LossRun,
  at: { readonly tokens: number; readonly rate: number; readonly seed: number },
) {
  const [tokens, context] = setting.quick ? [20_000, 32] : [at.tokens, 64];
  const steps = Math.round(tokens / (BATCH * context));
  const every = `--lr ${at.rate} --seed ${at.seed} --batch-size ${BATCH / workers} --steps ${steps} --eval-every ${steps}`;
  return setting.kept.once(`${setting.quick ? 'quick-' : ''}${key}`, () => {
    const rest = `${every} ${options} --min-workers ${workers} --no-adaptive-steps`;
    const start = [...narrow(setting), ...words(rest)];
    return withCluster({ start, workers, join: words(`--threads ${threads}`) }, async ({ result, commits }) => {
      const { val_loss, tokens } = await result;
      return {
        val_loss: Number(val_loss),
        tokens: Number(tokens),
        bytes_per_token: commits.length > 2 ? bytesPerToken(commits) : null,
      };
    });
  });
}
