import packageJson from '../../../package.json' with { type: 'json' };
import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { Model } from '../../model/model.js';
import type { BlobRef, Gate } from '../../transport/transport.js';
import { describeNeed, memoryNeeded } from '../memory.js';
import { type AdmissionAnswer, type AdmissionRequest, admissionRequest, BUSY, WAITING } from '../protocol/admission.js';
import type { RunSetup } from '../protocol/configuration.js';
import { decodeMessage, PROTOCOL } from '../protocol/wire.js';
import type { ApprovalDesk } from './approval-desk.js';
import type { Doorkeeper } from './doorkeeper.js';
import { MOST_NAMES } from './names.js';

/** More bytes than any request has. */
const LONGEST = 16_384;

/** What decides on who is let in. */
export interface AdmissionOptions {
  readonly run: string;
  readonly model: Model;
  readonly setup: RunSetup;
  readonly gate: Gate;
  readonly configuration: () => BlobRef;
  /** Whether the run still takes workers. */
  readonly open: () => boolean;
  readonly doorkeeper: Doorkeeper;
  readonly approvals: Pick<ApprovalDesk, 'isPatient' | 'objection'>;
  /** Names for replicas of a machine, that nobody had before; stored when it resolves. Undefined: there is no room. */
  readonly name: (host: string, replicas: number) => Promise<readonly string[] | undefined>;
  readonly onRefused: (host: string, code: string, reason: string) => void;
}

/**
 * Answers a machine that asks to take part. Never fails: whatever came is answered.
 *
 * @param by the invitation by which it asks
 * @param address where the server sees it
 */
export async function admit(
  bytes: Uint8Array,
  options: AdmissionOptions,
  by?: string,
  address: string | null = null,
): Promise<AdmissionAnswer> {
  let host = 'a stranger';
  const { doorkeeper, approvals, gate } = options;
  const refused = (code: string, reason: string): AdmissionAnswer => {
    if (doorkeeper.refusal()) options.onRefused(host, code, reason);
    return { accepted: false, code, reason };
  };
  const busy: AdmissionAnswer = { accepted: false, code: BUSY, reason: 'many ask at once; ask again in a while' };
  let request: AdmissionRequest;
  try {
    if (bytes.length > LONGEST) throw new MeanfieldError(`a request has ${LONGEST} bytes at most, got ${bytes.length}`);
    request = decodeMessage(bytes, admissionRequest, 'a request to join');
  } catch (error) {
    return doorkeeper.knock(by) ? refused('malformed', messageOf(error)) : busy;
  }
  if (!approvals.isPatient(request.key) && !doorkeeper.knock(by)) return busy;
  host = request.host;
  const objection = objectionTo(request, options);
  if (objection) return refused(objection.code, objection.reason);
  try {
    if (gate.asksPerson(request.key, by)) {
      const { key, replicas } = request;
      const held = await approvals.objection({ key, host, address, replicas });
      if (held?.code === WAITING) return { accepted: false, ...held };
      if (held) return refused(held.code, held.reason);
    }
    if (!doorkeeper.names(request.replicas, by))
      return { accepted: false, code: BUSY, reason: 'many come at once; ask again in a while' };
    const workers = await options.name(slug(host), request.replicas);
    if (!workers) return refused('full', `the run has as many workers as it takes, ${MOST_NAMES}`);
    const pass = await gate.admit(workers, request.key, by);
    return {
      accepted: true,
      run: options.run,
      pass,
      workers: workers.map((worker) => ({ worker, incarnation: 0 })),
      configuration: options.configuration(),
    };
  } catch (error) {
    return refused('not-admitted', messageOf(error));
  }
}

function objectionTo(
  { protocol, version, replicas, memory, offloads }: AdmissionRequest,
  { model, setup, open }: AdmissionOptions,
): { code: string; reason: string } | null {
  if (protocol !== PROTOCOL || version !== packageJson.version)
    return {
      code: 'wrong-version',
      reason: `the coordinator has Meanfield ${packageJson.version} (protocol ${PROTOCOL}), this machine ${version} (protocol ${protocol}); install the same`,
    };
  if (!open()) return { code: 'stopped', reason: 'the run is over, or about to end' };
  const need = memoryNeeded(model, setup, replicas);
  if (!offloads && need.total > memory)
    return {
      code: 'not-enough-memory',
      reason: `${replicas} replicas need ${describeNeed(need)}, the machine has ${(memory / 1e9).toFixed(2)} GB left; use fewer replicas or a machine with more`,
    };
  return null;
}

/** What may be a part of a name in the message system. */
function slug(host: string): string {
  const name = host
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return name === '' ? 'worker' : name;
}
