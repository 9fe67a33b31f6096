import { MeanfieldError, UsageError } from '../../base/errors.js';
import { INVITE } from '../../transport/trust/invitations.js';
import type { Context } from '../terminal/context.js';
import { shellQuote } from '../terminal/format.js';
import { Operator } from './operator.js';

/** Ends a run after the round in progress. */
export async function stopCluster(folder: string, { output }: Context): Promise<number> {
  await Operator.once(folder, 'stop', {});
  output.event({ type: 'result', run: folder, stopping: true });
  output.text(
    `Stopping after the round in progress. To go on: meanfield cluster start --run ${shellQuote(folder)} --resume\n`,
  );
  return 0;
}

/**
 * Throws a worker out.
 *
 * @throws MeanfieldError when there is no such worker
 */
export async function evictWorker(folder: string, worker: string, reason: string, context: Context): Promise<number> {
  const answer = (await Operator.once(folder, 'evict', { worker, reason })) as EvictAnswer;
  if (!answer.done) throw new MeanfieldError(`The coordinator did not evict ${worker}: ${answer.reason}`);
  context.output.event({ type: 'result', run: folder, evicted: worker, known: answer.known });
  context.output.text(
    answer.known
      ? `${worker} is out.\n`
      : `The run remembers no worker ${worker}; should it come, it is refused. Names: meanfield cluster status ` +
          `${shellQuote(folder)}\n`,
  );
  return 0;
}

/** What the coordinator answers. */
type EvictAnswer = { readonly done: true; readonly known: boolean } | { readonly done: false; readonly reason: string };

/** What is asked about invitations. */
export interface InviteFlags {
  readonly inviteHours: number;
  readonly once?: true;
  readonly revoke?: string;
  readonly list?: true;
}

/**
 * Makes an invitation to a run, withdraws one or all, or lists them.
 *
 * @throws UsageError when more than one of these is asked; MeanfieldError when the coordinator refuses
 */
export async function invite(folder: string, flags: InviteFlags, { output }: Context): Promise<number> {
  const { inviteHours, once, revoke, list } = flags;
  if ([once, revoke, list].filter((one) => one !== undefined).length > 1)
    throw new UsageError('Give one of --once, --revoke and --list.');
  const asked = revoke !== undefined ? { revoke } : list ? { list } : { hours: inviteHours, once: once === true };
  const answer = (await Operator.once(folder, INVITE, asked)) as InviteAnswer;
  output.event({ type: 'result', run: folder, ...answer });
  if ('invitations' in answer) {
    const lines = answer.invitations.map((one) => `${one.id}  until ${one.expires}${usesText(one)}\n`);
    output.text(lines.length === 0 ? 'Nobody is invited.\n' : lines.join(''));
  } else if ('revoked' in answer) {
    output.text(`Withdrawn: ${answer.revoked.join(', ') || 'none'}. Who is in already stays; see cluster evict.\n`);
  } else {
    const { invitation, id, expires } = answer;
    const whom = once ? 'On one other machine' : 'On every other machine';
    output.text(`${whom}, until ${expires} (to withdraw it: --revoke ${id}):\n\n  meanfield join ${invitation}\n\n`);
  }
  return 0;
}

function usesText({ once, used }: ShownInvitation): string {
  if (!once) return '';
  return used ? '  once, used' : '  once';
}

interface ShownInvitation {
  readonly id: string;
  readonly expires: string;
  readonly once: boolean;
  readonly used: boolean;
}

/** What the coordinator answers. */
type InviteAnswer =
  | (ShownInvitation & { readonly invitation: string })
  | { readonly revoked: readonly string[] }
  | { readonly invitations: readonly ShownInvitation[] };
