import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import packageJson from '../../../package.json' with { type: 'json' };
import { cutFragments } from '../../averaging/fragments.js';
import { layoutHash } from '../../averaging/layout-hash.js';
import { MeanfieldError } from '../../base/errors.js';
import { availableMemory } from '../../base/files/available-memory.js';
import { spelledError } from '../../base/spelling.js';
import { chooseDevice, createEngine } from '../../engine/node/create.js';
import { holdsOnDisk, PLACEMENTS } from '../../local/offload-need.js';
import type { Model } from '../../model/model.js';
import type { FrozenPart } from '../../run/frozen-part.js';
import { choosePrecision, type PrecisionChoice } from '../../training/precision.js';
import { RunVerifier, UnsignedError } from '../../transport/signed.js';
import type { Transport } from '../../transport/transport.js';
import type { WorkerEvent, WorkerResult } from '../events.js';
import { fetchData } from '../fetch-data.js';
import { fetchFrozen } from '../frozen-blobs.js';
import { keptMessages } from '../memory.js';
import type { MemberOffload, ModelHandle } from '../model-thread/commands.js';
import { startModelThread } from '../model-thread/member-thread.js';
import { partSizes, vectorsOf } from '../part-sizes.js';
import { type AdmissionAnswer, ASK, admissionAnswer, BUSY, NOT_APPROVED, WAITING } from '../protocol/admission.js';
import { type Configuration, configurationSchema } from '../protocol/configuration.js';
import { downEnvelope } from '../protocol/down.js';
import { decodeMessage, encodeMessage, PROTOCOL } from '../protocol/wire.js';
import type { WorkerOptions } from '../types.js';
import { BlobCache } from './blob-cache.js';
import { layeredNeed, makeScratch, requireLayered, requireLayeredMemory, type Scratch } from './layered.js';
import { allowedModel, MOST_CONFIGURATION, modelOfRun } from './limits.js';
import { MemberDriver } from './member.js';
import { Replays } from './replays.js';

/** Between two knocks at a door that nobody opens, and between two words about waiting: milliseconds. */
const KNOCK = 1000;
const TELL = 5000;
const ASK_TIMEOUT = 10_000;

type Admitted = Extract<AdmissionAnswer, { accepted: true }>;

/** Takes part in a run from the door to the end. */
export async function work(
  options: WorkerOptions,
  emit: (event: WorkerEvent) => void,
  leaving: AbortSignal,
): Promise<WorkerResult> {
  const started = performance.now();
  const verifier = new RunVerifier(options.door.coordinator);
  const admitted = await askAdmission(options, verifier, emit, leaving);
  const names = admitted.workers.map(({ worker }) => worker);
  const transport = await options.door.enter(names, admitted.pass);
  const modelThreads: ModelHandle[] = [];
  let scratch: Scratch | undefined;
  try {
    const { blobs: stored } = transport;
    const { bytes } = admitted.configuration;
    if (bytes > MOST_CONFIGURATION)
      throw new MeanfieldError(
        `The run's configuration has ${bytes} bytes; a worker takes ${MOST_CONFIGURATION} at most.`,
      );
    emit({ type: 'preparing', stage: 'configuration' });
    const configuration = decodeMessage(
      await stored.get(admitted.configuration),
      configurationSchema,
      "the run's configuration",
    );
    const { model: allowed, disk } = allowedFor(options, configuration, names.length);
    const model = modelOf(configuration, allowed);
    const onProgress = (fraction: number) => emit({ type: 'preparing', stage: 'tokens', fraction });
    const tokens = await fetchData(configuration, {
      ...{ blobs: stored, cache: options.cache, onProgress, signal: leaving },
      allowed: { ...options.limits, dataHosts: [...options.door.hosts, ...(options.limits?.dataHosts ?? [])] },
    });
    const frozenIn = (sha256: string) => join(options.cache, `frozen-${sha256}.safetensors`);
    const frozen = await fetchFrozen(configuration, model, frozenIn, { blobs: stored, signal: leaving });
    emit({ type: 'preparing', stage: 'graphs' });
    if (options.offload) scratch = await makeScratch(options.cache, disk);
    const folderOf = (i: number) => scratch && join(scratch.folder, String(i));
    for (const _ of names) modelThreads.push((options.startThread ?? startModelThread)());
    const { notice, ...setup } = await modelSetup(options, names.length, configuration, tokens, frozen);
    if (notice !== undefined) emit({ type: 'notice', message: notice });
    const init = (thread: ModelHandle, i: number) => {
      const folder = folderOf(i);
      return thread.ask('init', folder === undefined ? setup : { ...setup, offload: offloadIn(folder, options) });
    };
    await Promise.all(modelThreads.map(init));
    emit({ type: 'joined', run: configuration.run, workers: names });
    const sizes = partSizes(cutFragments(model.trained, configuration.setup.cluster.fragments), configuration.setup);
    const onDisk = options.offload !== undefined && holdsOnDisk(PLACEMENTS[options.offload]);
    // What is kept there is in memory.
    const mostBytes = onDisk ? 0 : keptMessages(model, configuration.setup, names.length);
    const blobs = new BlobCache(stored, { members: names.length, mostBytes });
    const members = admitted.workers.map(
      ({ worker, incarnation }, i) =>
        new MemberDriver({
          run: configuration.run,
          worker,
          incarnation,
          control: transport.control,
          blobs,
          thread: modelThreads[i]!,
          layout: { hash: layoutHash(model.trained), length: model.trained.size },
          sizes,
          vectors: vectorsOf(configuration),
          overlap: configuration.setup.cluster.overlap,
          folder: onDisk ? folderOf(i) : undefined,
          heartbeatSeconds: configuration.heartbeatSeconds,
          siblings: names.length,
          emit,
        }),
    );
    const ended = await takePart(transport, { run: configuration.run, verifier, members }, emit, leaving);
    return {
      type: 'result',
      run: configuration.run,
      workers: names,
      rounds: Math.max(...members.map(({ rounds }) => rounds)),
      tokens: members.reduce((sum, member) => sum + member.tokens, 0),
      seconds: (performance.now() - started) / 1000,
      ended,
    };
  } finally {
    for (const thread of modelThreads) thread.cancel();
    await Promise.all(modelThreads.map((thread) => thread.close()));
    await transport.close();
    await scratch?.remove();
  }
}

/**
 * The run's model, if there is room for it here, and what it takes of the disk.
 *
 * @throws MeanfieldError where there is not, or where it cannot be trained as it should be here
 */
function allowedFor(
  options: WorkerOptions,
  configuration: Configuration,
  replicas: number,
): { readonly model: Model; readonly disk: number } {
  const { offload } = options;
  if (offload === undefined) return { model: allowedModel(configuration, replicas, memoryOf(options)), disk: 0 };
  requireLayered(configuration, offload);
  const model = modelOfRun(configuration);
  const need = layeredNeed(model, configuration.setup, { replicas, threads: threadsOf(options, replicas), offload });
  requireLayeredMemory(need, memoryOf(options));
  return { model, disk: need.disk };
}

const offloadIn = (folder: string, { offload }: WorkerOptions): MemberOffload => ({
  folder,
  ...PLACEMENTS[offload!],
});

const threadsOf = ({ threads }: WorkerOptions, replicas: number): number =>
  threads ?? Math.max(1, Math.floor(availableParallelism() / replicas));

async function askAdmission(
  options: WorkerOptions,
  verifier: RunVerifier,
  emit: (event: WorkerEvent) => void,
  leaving: AbortSignal,
): Promise<Admitted> {
  const { door, replicas = 1, host = hostname(), patience = 60, approvalPatience = 3600 } = options;
  const request = encodeMessage({
    protocol: PROTOCOL,
    version: packageJson.version,
    key: door.key,
    replicas,
    host: host.slice(0, 200),
    memory: memoryOf(options),
    ...(options.offload && { offloads: true }),
  });
  const began = performance.now();
  let waits: { readonly id: string; readonly since: number } | undefined;
  for (;;) {
    if (leaving.aborted) throw new LeftEarly();
    const seconds = (performance.now() - began) / 1000;
    emit({ type: 'preparing', stage: 'asking' });
    try {
      const bytes = verifier.opened('join', await door.ask(ASK.admission, request, ASK_TIMEOUT), request);
      const answer = decodeMessage(bytes, admissionAnswer, 'an answer to the request to join');
      if (answer.accepted) return answer;
      if (answer.code === BUSY) {
        emit({ type: 'waiting', for: `its turn (${answer.reason})`, seconds });
        // Not all at the same moment again, and for as long as it takes: the coordinator is there.
        await sleep(KNOCK * (1 + 4 * Math.random()), undefined, { signal: leaving }).catch(() => {});
        continue;
      }
      if (answer.code === WAITING) {
        const id = answer.reason;
        if (waits?.id !== id) emit({ type: 'asking', id });
        waits ??= { id, since: performance.now() };
        const waited = (performance.now() - waits.since) / 1000;
        if (waited >= approvalPatience) throw notApproved(id, approvalPatience);
        emit({ type: 'waiting', for: `approval as ${id}`, seconds: waited });
        await sleep(KNOCK * (2.5 + Math.random()), undefined, { signal: leaving }).catch(() => {});
        continue;
      }
      if (answer.code === NOT_APPROVED) throw new NotTakenError(answer.reason);
      throw new RefusedError(`The run does not take this machine: ${answer.reason}`);
    } catch (error) {
      if (error instanceof RefusedError || !(error instanceof MeanfieldError) || seconds >= patience) throw error;
      emit({ type: 'waiting', for: `a coordinator (${error.message})`, seconds });
      await sleep(KNOCK, undefined, { signal: leaving }).catch(() => {});
    }
  }
}

class RefusedError extends MeanfieldError {}

/** A person will not have the machine: as one that was evicted it is not to be started again. */
class NotTakenError extends RefusedError {
  override readonly exitCode = 3;

  constructor(reason: string) {
    super(`The run does not take this machine: ${reason}. Ask its owner.`);
  }
}

function notApproved(id: string, seconds: number): RefusedError {
  return spelledError(
    RefusedError,
    ({ option }) =>
      `Nobody has approved this machine (${id}) within ${seconds} seconds. Ask the run's owner, who does it by ` +
      'meanfield cluster approve on the machine that coordinates, and join again; more seconds of ' +
      `${option('approvalPatience')} wait longer.`,
  );
}

/** The machine was told to leave before the run had taken it. */
class LeftEarly extends MeanfieldError {
  override readonly exitCode = 130;

  constructor() {
    super('Stopped before the run had taken this machine.');
  }
}

/** Bytes that the run may have here. */
function memoryOf({ limits }: WorkerOptions): number {
  return Math.floor(Math.min(availableMemory(), limits?.maxMemoryBytes ?? Number.POSITIVE_INFINITY));
}

function modelOf({ layoutHash: expected, version }: Configuration, model: Model): Model {
  const found = layoutHash(model.trained);
  if (found === expected) return model;
  throw new MeanfieldError(
    `The run's parameters have the layout ${expected.slice(0, 12)}, this machine would make ${found.slice(0, 12)} of the ` +
      `same configuration. The coordinator has Meanfield ${version}, this machine ${packageJson.version}: use the same.`,
  );
}

async function modelSetup(
  options: WorkerOptions,
  replicas: number,
  configuration: Configuration,
  tokens: string,
  frozen: FrozenPart | undefined,
) {
  const threads = threadsOf(options, replicas);
  const device = options.offload ? 'cpu' : await chooseDevice(options.device ?? 'auto');
  const own = { trains: true, alone: replicas === 1, device, threads, tokens };
  const run = configuration.setup;
  // Members may differ in it: what they contribute is averaged, not compared.
  const chosen: Partial<PrecisionChoice> = run.precision
    ? await choosePrecision(run.precision, await createEngine(device))
    : {};
  return { ...own, ...chosen, run, ...(frozen && { frozen }) };
}

/** Runs the members until all have ended; a failure of one ends them all. */
async function takePart(
  transport: Transport,
  {
    run,
    verifier,
    members,
  }: { readonly run: string; readonly verifier: RunVerifier; readonly members: readonly MemberDriver[] },
  emit: (event: WorkerEvent) => void,
  leaving: AbortSignal,
): Promise<WorkerResult['ended']> {
  let forged = false;
  const stops = members.map((member) => {
    const replays = new Replays();
    return transport.control.listen({ to: 'down', worker: member.worker }, (bytes) => {
      try {
        const content = verifier.opened('down', bytes);
        const { message, ...to } = decodeMessage(content, downEnvelope, "the coordinator's word");
        if (to.run === run && to.worker === member.worker && replays.take(to.term, to.sequence))
          member.receive(to.incarnation, message);
      } catch (error) {
        if (!(error instanceof MeanfieldError)) throw error;
        // Once: whoever forges may do so a thousand times a second.
        if (!(error instanceof UnsignedError && forged)) emit({ type: 'notice', message: error.message });
        forged ||= error instanceof UnsignedError;
      }
    });
  });
  const leaveAll = () => {
    for (const member of members) member.leave('told to');
  };
  leaving.addEventListener('abort', leaveAll);
  const telling = setInterval(() => {
    for (const { doing } of members) {
      const seconds = (performance.now() - doing.since) / 1000;
      if (1000 * seconds >= TELL && !doing.busy) emit({ type: 'waiting', for: doing.what, seconds });
    }
  }, TELL);
  const stopStatus = transport.onStatus(({ reason, shutOut }) => {
    emit({ type: 'notice', message: reason });
    // Evicted, and the word about it did not arrive.
    if (shutOut) for (const member of members) member.shutOut();
  });
  try {
    for (const member of members) member.start();
    if (leaving.aborted) leaveAll();
    const all = await Promise.all(members.map((member) => member.ended));
    return all.find((ended) => ended !== 'finished') ?? 'finished';
  } finally {
    for (const member of members) member.leave('another replica of its process has failed');
    for (const stop of stops) stop();
    leaving.removeEventListener('abort', leaveAll);
    clearInterval(telling);
    stopStatus();
  }
}
