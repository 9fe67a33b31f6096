import { setMaxListeners } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/base/random.js';
import { type SoakCase, textOf } from './cases.js';

/** What clients met. Times are in milliseconds. */
export interface Met {
  answered: number;
  /** Answers that were not the case's. */
  readonly wrong: string[];
  /** What was no answer and no refusal. */
  readonly failed: string[];
  /** Told to come again later. */
  refused: number;
  readonly left: Record<'queued' | 'running' | 'whole', number>;
  /** From asking to the first piece of a stream, by client. */
  readonly waits: readonly number[][];
  /** From a piece of a stream to the next, when no long prompt was about, and when one was. */
  readonly gaps: Record<'without' | 'beside', number[]>;
}

/** Who asks what. */
export interface ClientsOptions {
  readonly url: string;
  readonly cases: readonly SoakCase[];
  readonly clients: number;
  /** A prompt that takes long to read. */
  readonly long: string;
  readonly seed: number;
  /** The share of requests whose client goes away. */
  readonly leaving: number;
  /** Every so many clients one that asks for nothing but long prompts. */
  readonly longEvery: number;
}

/** Clients that ask without end, each one question at a time, until they are stopped. */
export class SoakClients {
  readonly met: Met;
  readonly #options: ClientsOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #stop = new AbortController();
  readonly #all: Promise<unknown>;
  readonly #connections = new WeakSet<Socket>();
  /** What ends each request that is under way. */
  readonly #asking = new Set<AbortController>();
  /** Long prompts that are asked for now. */
  #long = 0;
  /** What a text took lately: who leaves, leaves within that. */
  #usual = 200;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.met = {
      ...{ answered: 0, wrong: [], failed: [], refused: 0, left: { queued: 0, running: 0, whole: 0 } },
      waits: Array.from({ length: options.clients }, () => []),
      gaps: { without: [], beside: [] },
    };
    // All that wait hear of the end.
    setMaxListeners(0, this.#stop.signal);
    this.#all = Promise.all(Array.from({ length: options.clients }, (_, client) => this.#client(client)));
  }

  /** All go away at once, whatever they wait for. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const leave of this.#asking) leave.abort();
    await this.#all;
    this.#agent.destroy();
  }

  async #client(client: number): Promise<void> {
    const { cases, seed, leaving, longEvery } = this.#options;
    const random = new Random(seed, `client ${client}`);
    // They do not come at one blow.
    await sleep(1000 * random.uniform());
    while (!this.#stop.signal.aborted) {
      if (client % longEvery === 0) {
        await this.#askLong(client);
        continue;
      }
      const one = cases[random.below(cases.length)]!;
      const stream = random.uniform() < 0.5;
      const leaves = random.uniform() < leaving;
      // Half of those that hear a stream leave in the middle of it.
      const pieces = leaves && stream && random.uniform() < 0.5 ? 1 + random.below(4) : undefined;
      const ms = leaves && pieces === undefined ? random.uniform() * this.#usual : undefined;
      const retry = await this.#ask(client, one, { stream, pieces, ms });
      if (retry !== undefined) await this.#pause(retry * (1 + 0.5 * random.uniform()));
    }
  }

  /** @returns in how many milliseconds to come again, where there is no place */
  async #ask(
    client: number,
    { path, body, answer }: SoakCase,
    { stream, pieces, ms }: { stream: boolean; pieces: number | undefined; ms: number | undefined },
  ): Promise<number | undefined> {
    const { met } = this;
    const began = performance.now();
    const leave = new AbortController();
    const timer = ms === undefined ? undefined : setTimeout(() => leave.abort(), ms);
    let heard = 0;
    let last = began;
    try {
      const { status, headers, text } = await this.#send(
        path,
        { ...body, stream, user: `client ${client}` },
        leave,
        () => {
          const now = performance.now();
          if (heard === 0) met.waits[client]!.push(now - began);
          else met.gaps[this.#long > 0 ? 'beside' : 'without'].push(now - last);
          last = now;
          if (++heard === pieces) leave.abort();
        },
      );
      if (status === 429) {
        met.refused++;
        return 1000 * Number(headers['retry-after']);
      }
      const got = textOf(text);
      if (got === answer) met.answered++;
      else met.wrong.push(`${JSON.stringify(body)}: ${JSON.stringify(got)} instead of ${JSON.stringify(answer)}`);
      this.#usual += 0.01 * (performance.now() - began - this.#usual);
    } catch (error) {
      if (!leave.signal.aborted) met.failed.push(String(error));
      else if (!this.#stop.signal.aborted) met.left[!stream ? 'whole' : heard > 0 ? 'running' : 'queued']++;
    } finally {
      clearTimeout(timer);
    }
    return undefined;
  }

  async #askLong(client: number): Promise<void> {
    this.#long++;
    try {
      const body = { prompt: this.#options.long + client, max_tokens: 1, user: `client ${client}`, ignore_eos: true };
      const { status, headers, text } = await this.#send('/v1/completions', body, new AbortController(), () => {});
      if (status === 429) {
        this.met.refused++;
        this.#long--;
        await this.#pause(1000 * Number(headers['retry-after']));
        this.#long++;
      } else if (status !== 200) this.met.failed.push(`${status} ${text.slice(0, 500)}`);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.met.failed.push(String(error));
    } finally {
      this.#long--;
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  /** @param heard called for each piece of a stream */
  #send(
    path: SoakCase['path'],
    body: object,
    leave: AbortController,
    heard: () => void,
  ): Promise<Pick<IncomingMessage, 'headers'> & { readonly status: number; readonly text: string }> {
    const { signal } = leave;
    this.#asking.add(leave);
    const answer = new Promise<{ status: number; headers: IncomingMessage['headers']; text: string }>(
      (resolve, reject) => {
        const text = JSON.stringify(body);
        const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
        const asked: ClientRequest = request(
          this.#options.url + path,
          { method: 'POST', agent: this.#agent, headers, signal },
          (response) => {
            let got = '';
            const streams = response.headers['content-type']?.startsWith('text/event-stream') === true;
            response.setEncoding('utf8');
            response.on('data', (data: string) => {
              got += data;
              // A comment keeps a stream alive while its request waits.
              if (streams && data.includes('data: ')) heard();
            });
            response.once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text: got }));
            response.once('error', reject);
            response.once('close', () => reject(new Error('The connection was closed in the middle of an answer.')));
          },
        );
        asked.once('error', reject);
        // Who leaves when the answer is whole ends a connection that is nobody's by then, and an error unheard ends the process.
        asked.once('socket', (socket) => {
          if (!this.#connections.has(socket)) socket.on('error', () => {});
          this.#connections.add(socket);
        });
        asked.end(text);
      },
    );
    return answer.finally(() => this.#asking.delete(leave));
  }
}
