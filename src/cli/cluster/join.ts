import { text as readAll } from 'node:stream/consumers';
import type { WorkerEvent, WorkerResult } from '../../cluster/index.js';
import { join as joinRun } from '../../cluster/join.js';
import { JOIN_OPTIONS, type JoinFlags } from '../../cluster/join-options.js';
import { decodeInvitation } from '../../transport/trust/invitation.js';
import { pickOptions } from '../terminal/add-options.js';
import type { Context } from '../terminal/context.js';
import { follow } from '../terminal/follow.js';
import { duration, grouped, loss, short } from '../terminal/format.js';
import { ProgressLine } from '../terminal/progress-line.js';

/** Takes part in a run until it ends; Ctrl-C leaves politely. */
export async function join(given: string, options: JoinFlags, context: Context): Promise<number> {
  // The process list shows the command line to all users of this machine, and the invitation is a secret.
  process.title = 'meanfield join';
  const text = given === '-' ? await readAll(process.stdin) : given;
  const invitation = decodeInvitation(text);
  const line = new ProgressLine(context.output);
  // A URL may hold a password.
  const servers = invitation.servers.map((url) => url.replace(/\/\/[^/]*@/, '//'));
  line.show(`knocking at ${servers.join(', ')}`, true);
  const worker = joinRun(text, pickOptions(JOIN_OPTIONS, options));
  const show = (event: WorkerEvent) => {
    const { text, stays } = eventLine(event);
    if (stays) line.note(text);
    else line.show(text);
  };
  const result = await follow(worker, context, {
    display: { show, end: () => line.end() },
    stopping: 'leaving: the step in progress ends first',
    stop: () => worker.leave(),
    summary,
  });
  return ENDS[result.ended];
}

/** Exit codes. Who was thrown out must not be started again as one that has failed (1); who left did as it was told. */
export const ENDS: Readonly<Record<WorkerResult['ended'], number>> = { finished: 0, left: 0, evicted: 3 };

/** What an event says to a person, and whether the line stays. */
export function eventLine(event: WorkerEvent): { readonly text: string; readonly stays: boolean } {
  const passing = (text: string) => ({ text, stays: false });
  const staying = (text: string) => ({ text, stays: true });
  switch (event.type) {
    case 'notice':
      return staying(`note: ${event.message}`);
    case 'preparing':
      return passing(`${event.stage}${event.fraction === undefined ? '' : ` ${Math.floor(event.fraction * 100)} %`}`);
    case 'asking':
      return staying(
        `the run's owner must approve this machine, ${event.id}; tell them this id. On the machine that coordinates: ` +
          `meanfield cluster approve RUN ${event.id}`,
      );
    case 'joined':
      return staying(`joined ${event.run} as ${event.workers.join(', ')}`);
    case 'training':
      return passing(`round ${grouped(event.round)}: training ${grouped(event.steps)} steps`);
    case 'contributed':
      return passing(
        `round ${grouped(event.round)}: contributed ${short(event.tokens)} tokens, loss ${loss(event.loss)}, ` +
          `${short(event.tokensPerSecond)} tokens/s`,
      );
    case 'committed':
      return passing(`round ${grouped(event.round)} committed`);
    case 'aborted':
      return staying(`round ${grouped(event.round)} aborted: ${event.reason}`);
    case 'refused':
      return staying(`${event.about} was refused: ${event.reason}`);
    case 'waiting':
      return passing(`waiting for ${event.for}, ${duration(event.seconds)}`);
  }
}

/** What a worker has done, and why it ended. */
export function summary({ run, ended, rounds, tokens, seconds }: WorkerResult): string {
  const why = { finished: 'The run is over.', left: 'Left.', evicted: 'Evicted by the coordinator.' }[ended];
  return `${why} ${grouped(rounds)} rounds and ${short(tokens)} tokens for ${run} in ${duration(seconds)}.\n`;
}
