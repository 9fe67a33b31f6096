import { UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import { ASK } from '../../cluster/protocol/admission.js';
import { INVITE } from '../../transport/trust/invitations.js';
import type { Context } from '../terminal/context.js';
import { shellQuote } from '../terminal/format.js';
import { RunOperator } from './operator.js';
import { INVITE_FLAGS } from './order-options.js';

/** Ends a run after the round in progress. */
export async function stopCluster(folder: string, { output }: Context): Promise<number> {
  await RunOperator.once(folder, 'stop', {});
  output.event({ type: 'result', run: folder, stopping: true });
  output.text(
    `Stopping after the round in progress. To go on: meanfield cluster start --run ${shellQuote(folder)} --resume\n`,
  );
  return 0;
}

/**
 * Throws a worker out.
 *
 * @throws MeanfieldError when the name is none
 */
export async function evictWorker(folder: string, worker: string, reason: string, context: Context): Promise<number> {
  const answer = (await RunOperator.once(folder, 'evict', { worker, reason })) as { readonly known: boolean };
  context.output.event({ type: 'result', run: folder, evicted: worker, known: answer.known });
  context.output.text(
    answer.known
      ? `${worker} is out.\n`
      : `The run remembers no worker ${worker}; should it come, it is refused. Names: meanfield cluster status ` +
          `${shellQuote(folder)}\n`,
  );
  return 0;
}

/**
 * Lets in, or turns away, a machine that waits for approval.
 *
 * @throws MeanfieldError when none of this id waits
 */
export async function decide(
  folder: string,
  id: string,
  decision: 'approved' | 'refused',
  { output }: Context,
): Promise<number> {
  const { host } = (await RunOperator.once(folder, ASK.decide, { id, decision })) as { readonly host: string };
  output.event({ type: 'result', run: folder, id, host, decision });
  output.text(
    decision === 'approved'
      ? `${host} (${id}) may come in; it asks every few seconds.\n`
      : `${host} (${id}) is turned away. It can ask again as another as long as its invitation is good: meanfield ` +
          `cluster invite ${shellQuote(folder)} --list\n`,
  );
  return 0;
}

/**
 * Makes an invitation to a run, withdraws one or all, or lists them.
 *
 * @throws UsageError when more than one of these is asked; MeanfieldError when the coordinator refuses
 */
export async function invite(
  folder: string,
  flags: OptionsOf<typeof INVITE_FLAGS>,
  { output }: Context,
): Promise<number> {
  const { inviteHours = INVITE_FLAGS.inviteHours.default, once, approve, revoke, list } = flags;
  if ([once ?? approve, revoke, list].filter((one) => one !== undefined).length > 1)
    throw new UsageError('Give one of --revoke, --list, and what a new invitation is to be: --once, --approve.');
  const asked =
    revoke !== undefined
      ? { revoke }
      : list
        ? { list }
        : { hours: inviteHours, once: once === true, approve: approve === true };
  const answer = (await RunOperator.once(folder, INVITE, asked)) as InviteAnswer;
  output.event({ type: 'result', run: folder, ...answer });
  if ('invitations' in answer) {
    const lines = answer.invitations.map((one) => `${one.id}  until ${one.expires}${usesText(one)}\n`);
    output.text(lines.length === 0 ? 'Nobody is invited.\n' : lines.join(''));
  } else if ('revoked' in answer) {
    output.text(`Withdrawn: ${answer.revoked.join(', ') || 'none'}. Who is in already stays; see cluster evict.\n`);
  } else {
    const { invitation, id, expires } = answer;
    const whom = once ? 'On one other machine' : 'On every other machine';
    const then = approve
      ? `Each waits until you let it in: meanfield cluster approve ${shellQuote(folder)} ID (see cluster status).\n\n`
      : '';
    output.text(
      `${whom}, until ${expires} (to withdraw it: --revoke ${id}):\n\n  meanfield join ${invitation}\n\n${then}`,
    );
  }
  return 0;
}

function usesText({ once, approve, used }: ShownInvitation): string {
  const words = [...(once ? ['once'] : []), ...(used ? ['used'] : []), ...(approve ? ['with approval'] : [])];
  return words.length === 0 ? '' : `  ${words.join(', ')}`;
}

interface ShownInvitation {
  readonly id: string;
  readonly expires: string;
  readonly once: boolean;
  readonly approve: boolean;
  readonly used: boolean;
}

/** What the coordinator answers. */
type InviteAnswer =
  | (ShownInvitation & { readonly invitation: string })
  | { readonly revoked: readonly string[] }
  | { readonly invitations: readonly ShownInvitation[] };
