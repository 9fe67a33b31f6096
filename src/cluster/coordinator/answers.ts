import { z } from 'zod';
import { messageOf } from '../../base/errors.js';
import type { Model } from '../../model/model.js';
import type { RunKey } from '../../transport/signed.js';
import type { Gate, Transport } from '../../transport/transport.js';
import { ASK } from '../protocol/admission.js';
import type { RunSetup } from '../protocol/configuration.js';
import { decodeMessage, encodeMessage, name, text } from '../protocol/wire.js';
import type { ClusterStatus } from '../status.js';
import { admit } from './admission.js';
import type { Auditor } from './audit.js';
import type { Coordinator } from './coordinator.js';
import { Doorkeeper } from './doorkeeper.js';
import { knownNames, makeRoom } from './names.js';

/** What a coordinator that leads is asked. */
export interface AnswerOptions {
  readonly transport: Transport;
  readonly gate: Gate;
  readonly key: RunKey;
  readonly coordinator: Coordinator;
  readonly run: string;
  readonly model: Model;
  readonly setup: RunSetup;
  readonly status: () => ClusterStatus;
  readonly auditor: Pick<Auditor, 'audit'>;
}

const evictRequest = z.strictObject({ worker: name, reason: text });
const auditRequest = z.strictObject({ worker: name, windows: z.int().min(1).max(65_536) });

/** Answers those who want to join, and the operator's questions. @returns what ends it */
export function answerQuestions(options: AnswerOptions): () => void {
  const { transport, coordinator, gate, key, run, model, setup, status, auditor } = options;
  let next = coordinator.state.next;
  const admission = {
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
    transport.control.answer(ASK.admission, async (bytes, by) =>
      // With what was asked, so that it answers nothing else.
      key.signed('join', encodeMessage(await admit(bytes, admission, by)), bytes),
    ),
    transport.control.answer(ASK.status, async () => encodeMessage(status())),
    transport.control.answer(ASK.stop, async () => {
      void coordinator.happen({ type: 'event', event: { type: 'stop' } });
      return encodeMessage({ done: true });
    }),
    transport.control.answer(ASK.evict, async (bytes) => {
      try {
        const { worker, reason } = decodeMessage(bytes, evictRequest, 'whom to evict and why');
        const known = knownNames(coordinator.state).has(worker);
        await coordinator.happen({ type: 'event', event: { type: 'evict', worker, reason } });
        return encodeMessage({ done: true, known });
      } catch (error) {
        return encodeMessage({ done: false, reason: messageOf(error) });
      }
    }),
    transport.control.answer(ASK.audit, async (bytes) => {
      try {
        const { worker, windows } = decodeMessage(bytes, auditRequest, 'whom to audit, and on how many windows');
        return encodeMessage({ done: true, audit: await auditor.audit(worker, windows) });
      } catch (error) {
        return encodeMessage({ done: false, reason: messageOf(error) });
      }
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
