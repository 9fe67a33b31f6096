import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import type { Model } from '../../model/model.js';
import type { OrderDesk } from '../../transport/orders.js';
import type { RunKey } from '../../transport/signed.js';
import type { Gate, Transport } from '../../transport/transport.js';
import { ASK } from '../protocol/admission.js';
import type { RunSetup } from '../protocol/configuration.js';
import { encodeMessage, name, text } from '../protocol/wire.js';
import type { ClusterStatus } from '../status.js';
import { admit } from './admission.js';
import { ApprovalDesk } from './approval-desk.js';
import type { Approval } from './approvals.js';
import type { Auditor } from './audit.js';
import type { Coordinator } from './coordinator.js';
import { Doorkeeper } from './doorkeeper.js';
import { knownNames, makeRoom } from './names.js';

/** What a coordinator that leads is asked. */
export interface AnswerOptions {
  readonly transport: Transport;
  readonly gate: Gate;
  readonly key: RunKey;
  readonly desk: OrderDesk;
  readonly coordinator: Coordinator;
  readonly run: string;
  readonly model: Model;
  readonly setup: RunSetup;
  readonly status: () => ClusterStatus;
  readonly auditor: Pick<Auditor, 'audit'>;
  /** A machine asks that a person must approve. */
  readonly onAsked: (approval: Approval) => void;
}

const evictRequest = z.strictObject({ worker: name, reason: text });
const decideRequest = z.strictObject({ id: text, decision: z.enum(['approved', 'refused']) });
const auditRequest = z.strictObject({ worker: name, windows: z.int().min(1).max(65_536) });

/** Answers those who want to join, and does what the run's owner orders. @returns what ends it */
export function answerQuestions(options: AnswerOptions): () => void {
  const { transport, coordinator, gate, key, desk, run, model, setup, status, auditor } = options;
  let next = coordinator.state.next;
  const approvals = new ApprovalDesk(
    () => coordinator.state.approvals,
    (input) => coordinator.happen(input),
    options.onAsked,
  );
  const admission = {
    approvals,
    run,
    model,
    setup,
    gate,
    configuration: () => coordinator.state.configuration,
    open: () => !coordinator.state.rounds.stopping && coordinator.state.rounds.phase !== 'stopped',
    doorkeeper: new Doorkeeper((count) =>
      coordinator.refuse('strangers', 'join', 'refused', `${count} more requests in a minute`),
    ),
    name: async (host: string, replicas: number) => {
      if (!makeRoom(coordinator.state, replicas)) return undefined;
      const workers = Array.from({ length: replicas }, (_, i) => `${host}-${next + i}`);
      next += replicas;
      await coordinator.happen({ type: 'admitted', host, workers });
      return workers;
    },
    onRefused: (host: string, code: string, reason: string) => coordinator.refuse(host, 'join', code, reason),
  };
  const stops = [
    transport.control.answer(ASK.admission, async (bytes, by, address) =>
      // With what was asked, so that it answers nothing else.
      key.signed('join', encodeMessage(await admit(bytes, admission, by, address)), bytes),
    ),
    desk.open(),
    desk.answer(ASK.status, async () => status()),
    desk.answer(ASK.stop, async () => {
      void coordinator.happen({ type: 'event', event: { type: 'stop' } });
      return {};
    }),
    desk.answer(ASK.evict, async (content) => {
      const { worker, reason } = asked(content, evictRequest, 'whom to evict and why');
      const known = knownNames(coordinator.state).has(worker);
      await coordinator.happen({ type: 'event', event: { type: 'evict', worker, reason } });
      return { known };
    }),
    desk.answer(ASK.decide, async (content) => {
      const { id, decision } = asked(content, decideRequest, 'whom to approve or refuse');
      const { host } = await approvals.decide(id, decision);
      return { host };
    }),
    desk.answer(ASK.audit, async (content) => {
      const { worker, windows } = asked(content, auditRequest, 'whom to audit, and on how many windows');
      return auditor.audit(worker, windows);
    }),
  ];
  return () => {
    approvals.close();
    for (const stop of stops) stop();
  };
}

function asked<T>(content: unknown, schema: z.ZodType<T>, what: string): T {
  const { data, error } = schema.safeParse(content);
  if (data === undefined) throw new MeanfieldError(`Expected ${what}: ${z.prettifyError(error!).slice(0, 300)}.`);
  return data;
}
