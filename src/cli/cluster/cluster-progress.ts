import type { CoordinatorEvent, RoundEvent, WaitingFor } from '../../cluster/index.js';
import { duration, grouped, loss, short } from '../terminal/format.js';
import type { Output } from '../terminal/output.js';
import { RunLines } from '../train/run-lines.js';

/** Shows the events of a coordinated run on standard error. */
export class ClusterProgress {
  private readonly lines: RunLines;
  private totalSteps = 0;

  /** @param now milliseconds */
  constructor(output: Output, now: () => number = Date.now) {
    this.lines = new RunLines(output, now);
  }

  show(event: CoordinatorEvent): void {
    const { line, evaluation } = this.lines;
    switch (event.type) {
      case 'standby':
        line.note(`standing by: ${event.leader} leads; this one takes over when it is heard of no more`);
        break;
      case 'leading':
        line.note(`leading ${event.run} from round ${event.round}`);
        break;
      case 'waiting':
        line.show(waitingText(event));
        break;
      case 'round':
        line.show(roundText(event, this.totalSteps, evaluation?.valLoss));
        break;
      case 'aborted':
        line.note(`round ${event.round} aborted: ${event.reason}`);
        break;
      case 'member':
        line.note(`${event.worker} ${event.change}${event.reason === '' ? '' : `: ${event.reason}`}`);
        break;
      case 'asking': {
        const { id, host, address } = event;
        const from = address === null ? '' : ` at ${address}`;
        line.note(`${host}${from} waits for your approval: meanfield cluster approve RUN ${id} (or refuse)`);
        break;
      }
      case 'refused':
        line.note(`refused from ${event.worker}: ${event.about}: ${event.reason}`);
        break;
      case 'progress':
        this.totalSteps = event.totalSteps;
        break;
      case 'round-opened':
      case 'checkpoint':
        break;
      default:
        this.lines.show(event);
    }
  }

  /** Writes a line that stays. */
  note(text: string): void {
    this.lines.line.note(text);
  }

  /** Takes the live line away. */
  end(): void {
    this.lines.line.end();
  }
}

/** For whom a run waits, how long already, how long still, and what happens then. */
export function waitingText({ kind, for: whom, seconds, secondsLeft, afterwards }: WaitingFor): string {
  const what = { members: 'workers', reports: 'reports', contributions: 'contributions', merge: 'the merge' }[kind];
  const names = whom.length > 3 ? `${whom.slice(0, 3).join(', ')} and ${whom.length - 3} more` : whom.join(', ');
  const from = whom.length === 0 ? '' : kind === 'members' ? `: ${names}` : ` of ${names}`;
  const then = secondsLeft === null ? afterwards : `in ${duration(secondsLeft)}: ${afterwards}`;
  return `waiting for ${what}${from}, ${duration(seconds)}${then === '' ? '' : `; ${then}`}`;
}

function roundText(event: RoundEvent, totalSteps: number, valLoss: number | undefined): string {
  const of = totalSteps > 0 ? `/${grouped(totalSteps)}` : '';
  const missed = event.missed.length > 0 ? `  without ${event.missed.join(', ')}` : '';
  return [
    `round ${grouped(event.round)}`,
    `step ${grouped(event.step)}${of}`,
    `loss ${loss(event.loss)}`,
    `val ${loss(valLoss)}`,
    `${event.workers.length} workers`,
    `${short(event.seconds.round > 0 ? event.tokens / event.seconds.round : 0)} tokens/s`,
    `${Math.round(event.utilization * 100)} % computing${missed}`,
  ].join('  ');
}
