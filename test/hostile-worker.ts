import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withHeader } from '../src/averaging/formats/format.js';
import { cutFragments } from '../src/averaging/fragments.js';
import { layoutHash } from '../src/averaging/layout-hash.js';
import { Random } from '../src/base/random.js';
import { admissionAnswer } from '../src/cluster/protocol/admission.js';
import { configurationSchema } from '../src/cluster/protocol/configuration.js';
import { type DownMessage, downEnvelope, type ReduceMessage, type StartMessage } from '../src/cluster/protocol/down.js';
import { putParts } from '../src/cluster/protocol/manifest.js';
import { decodeMessage, encodeMessage, PROTOCOL } from '../src/cluster/protocol/wire.js';
import { Model } from '../src/model/model.js';
import { RunVerifier } from '../src/transport/signed.js';
import type { BlobRef, Transport } from '../src/transport/transport.js';
import { openDoor } from '../src/transport/trust/door.js';
import { decodeInvitation } from '../src/transport/trust/invitation.js';

/** An admitted worker that does no work and says at random what would harm; it comes again when it is thrown out. */
export class HostileWorker {
  /** How often it did what, and under which names it was let in. */
  readonly done: Record<string, number> = {};
  readonly names: string[] = [];
  readonly #random: Random;
  #over = false;

  constructor(
    private readonly invitation: string,
    private readonly host: string,
    seed: number,
  ) {
    this.#random = new Random(seed, 'hostile');
  }

  /** Until {@link stop}. */
  async run(): Promise<void> {
    while (!this.#over) {
      // Whatever it is refused by, it tries again.
      await this.#live().catch(() => {});
      await sleep(500);
    }
  }

  stop(): void {
    this.#over = true;
  }

  async #live(): Promise<void> {
    const invitation = decodeInvitation(this.invitation);
    const verifier = new RunVerifier(invitation.coordinator);
    const door = await openDoor(invitation);
    let transport: Transport | undefined;
    try {
      const request = {
        protocol: PROTOCOL,
        version: '0.1.0',
        key: door.key,
        replicas: 1,
        host: this.host,
        memory: 2 ** 40,
      };
      const asked = encodeMessage(request);
      const bytes = verifier.opened('join', await door.ask('join', asked, 10_000), asked);
      const answer = decodeMessage(bytes, admissionAnswer, 'an answer');
      if (!answer.accepted) return;
      const [{ worker, incarnation }] = answer.workers as [{ worker: string; incarnation: number }];
      this.names.push(worker);
      transport = await door.enter([worker], answer.pass);
      const life = new Life(transport, worker, incarnation, this.#random, this.done);
      await life.prepare(answer.configuration);
      let out = false;
      transport.onStatus(({ shutOut }) => {
        out ||= shutOut;
      });
      transport.control.listen({ to: 'down', worker }, (message) => {
        const opened = decodeMessage(verifier.opened('down', message), downEnvelope, 'a message').message;
        if (opened.type === 'evict') out = true;
        // What it is refused or cannot store, it goes on without.
        void life.hear(opened).catch(() => {});
      });
      for (let joined = 0; !out && !this.#over; joined++) {
        if (joined % 20 === 0) life.join();
        await life.annoy(door.ask, asked).catch(() => {});
        await sleep(100);
      }
    } finally {
      await transport?.close();
      await door.close();
    }
  }
}

class Life {
  #layout = { hash: '', length: 0 };
  #lengths: readonly number[] = [];

  constructor(
    private readonly transport: Transport,
    private readonly worker: string,
    private readonly incarnation: number,
    private readonly random: Random,
    private readonly done: Record<string, number>,
  ) {}

  async prepare(ref: BlobRef): Promise<void> {
    const configuration = decodeMessage(await this.transport.blobs.get(ref), configurationSchema, 'a configuration');
    const { layout } = Model.fromConfig(configuration.setup.model);
    this.#layout = { hash: layoutHash(layout), length: layout.size };
    this.#lengths = cutFragments(layout, 1)[0]!.shards.map(({ start, end }) => end - start);
    this.run = configuration.run;
  }

  run = '';

  join(): void {
    this.#up({ type: 'join', layoutHash: this.#layout.hash, stepsPerSecond: this.#one([1, 1e300, null]) });
  }

  async hear(message: DownMessage): Promise<void> {
    if ('chain' in message) {
      const { round, hash } = message.committed;
      // It holds nothing, but says so.
      this.#up({ type: 'report', round, closed: message.closed, hash, gatherSeconds: 0 });
    } else if (message.type === 'startRound') await this.#contribute(message);
    else if (message.type === 'reduce') await this.#reduce(message);
  }

  /** What harms at any time. */
  async annoy(ask: (what: string, message: Uint8Array, timeout: number) => Promise<Uint8Array>, join: Uint8Array) {
    const acts: Record<string, () => unknown> = {
      'random bytes': () => this.transport.control.send({ to: 'up', worker: this.worker }, randomBytes(200)),
      'absurd numbers': () =>
        this.#up({
          type: 'heartbeat',
          holds: 2 ** 53 - 1,
          round: 2 ** 53 - 1,
          traffic: { sent: 2 ** 53 - 1, received: 0 },
        }),
      'a future report': () =>
        this.#up({ type: 'report', round: 10 ** 9, closed: 10 ** 9, hash: 'f'.repeat(64), gatherSeconds: 1e9 }),
      "another's name": () => this.#up({ type: 'leave', reason: 'ha', worker: 'honest-1' }),
      'orders to the coordinator': () => ask(this.#one(['stop', 'evict', 'status']), encodeMessage({}), 100),
      'many joins': () => Promise.allSettled(Array.from({ length: 10 }, () => ask('join', join, 1000))),
      'a blob of junk': () =>
        this.transport.blobs.put(`${this.worker}/junk/${this.random.below(50)}`, randomBytes(500_000)),
      "another's blob": () => this.transport.blobs.put('run/configuration', randomBytes(100), AbortSignal.timeout(200)),
      nothing: () => {},
    };
    await this.#act(acts);
  }

  async #contribute(message: StartMessage): Promise<void> {
    const { round, steps } = message;
    const key = `${this.worker}/c/${round}/${this.incarnation}`;
    const values = (value: number) => this.#lengths.map((length) => vector(length, value));
    const parts = this.#one<() => Uint8Array[]>([
      () => values(0),
      () => values(1000),
      () => values(Number.NaN),
      () => values(1e-9),
      () => this.#lengths.map((length) => randomBytes(12 + 4 * length)),
      () => [randomBytes(9)],
    ])();
    const stored = await putParts(this.transport.blobs, key, parts);
    const manifest = this.#one<unknown>([
      stored,
      stored,
      stored,
      { ...stored, bytes: 2 ** 50 },
      { ...stored, key: 'honest-1/c/1/0/list' },
      { ...stored, chunks: 2 ** 31 },
      { ...stored, hash: '0'.repeat(64) },
    ]);
    const told = this.#one([
      {},
      {},
      { tokens: 2 ** 53 - 1 },
      { weight: 2 ** 40 },
      { steps: 9e15 },
      { round: round + 5 },
      { length: 1 },
    ]);
    this.#count('a contribution');
    this.#up({
      type: 'contribution',
      ...{
        round,
        steps,
        tokens: steps * 16,
        weight: steps * 16,
        seconds: this.#one([0.1, 0, 1e-300]),
        baseHash: message.base.hash,
      },
      ...{ layoutHash: this.#layout.hash, length: this.#layout.length, finite: true, manifest },
      ...{ norm: this.#one([1e-6, 0.1, 1e30]), loss: this.#one([0, 3, -1e300]), gradientNorm: 1, uploadSeconds: 0 },
      traffic: { sent: 0, received: 0 },
      ...told,
    });
  }

  async #reduce({ round, attempt, shards, contributions }: ReduceMessage): Promise<void> {
    const squares = contributions.map(() => this.#one([0, 1e-3, 1e30]));
    const put = (shard: number, bytes: Uint8Array) =>
      this.transport.blobs.put(`${this.worker}/r/${round}/${attempt}/${shard}`, bytes);
    const tell = (shard: number, result: unknown) =>
      this.#up({ type: 'reduced', round, attempt, shard, result, squares });
    const all = [...this.#lengths.keys()];
    await this.#act({
      'all shards, not only its own': async () => {
        for (const shard of all) tell(shard, await put(shard, vector(this.#lengths[shard]!, 1000)));
      },
      'a false sum': async () => {
        for (const shard of shards) tell(shard, await put(shard, vector(this.#lengths[shard]!, 1e-4)));
      },
      'a sum of 2^50 bytes': () => {
        const hash = '0'.repeat(64);
        for (const shard of shards) tell(shard, { key: `${this.worker}/r/x`, bytes: 2 ** 50, chunks: 1, hash });
      },
      'a sum that is overwritten': async () => {
        for (const shard of shards) {
          tell(shard, await put(shard, vector(this.#lengths[shard]!, 0)));
          await put(shard, randomBytes(12 + 4 * this.#lengths[shard]!));
        }
      },
      'blame for the honest': () => {
        for (const shard of all)
          for (const { worker: culprit } of contributions)
            this.#up({ type: 'reduce-failed', round, attempt, shard, culprit, reason: 'I do not like it' });
      },
      'no sum': () => {},
    });
  }

  async #act(acts: Record<string, () => unknown>): Promise<void> {
    const what = this.#one(Object.keys(acts));
    this.#count(what);
    await acts[what]!();
  }

  #count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1;
  }

  #one<T>(choices: readonly T[]): T {
    return choices[this.random.below(choices.length)]!;
  }

  #up(body: object): void {
    const message = { run: this.run, worker: this.worker, incarnation: this.incarnation, ...body };
    this.transport.control.send({ to: 'up', worker: this.worker }, encodeMessage(message));
  }
}

/** A shard in the format fp32. */
function vector(length: number, value: number): Uint8Array {
  const bytes = withHeader('fp32', length);
  bytes.set(new Uint8Array(new Float32Array(length).fill(value).buffer), 12);
  return bytes;
}
