import type { NatsConnection } from '@nats-io/nats-core';
import { messageOf } from '../../base/errors.js';
import type { BlobQuotas, BlobStore, ControlChannel, StateStore, Transport, TransportStatus } from '../transport.js';
import { NatsBlobs } from './blobs.js';
import { type ConnectOptions, connectNats, isRefusal, type NatsAddress } from './connect.js';
import { NatsControl } from './control.js';
import { Patience, type PatienceOptions } from './patience.js';
import { NatsQuotas } from './quotas.js';
import { NatsState } from './state.js';
import { createStreams, type StreamOptions } from './streams.js';
import { type Access, subjectsOf } from './subjects.js';

export interface NatsTransportOptions extends NatsAddress, PatienceOptions {
  readonly run: string;
  /** Shown in the server's lists: `coordinator`, a worker's name. */
  readonly name: string;
  /** What replies come to; permissions name it. */
  readonly inbox: string;
  /** What the credential lets us do; all unless given. */
  readonly access?: Access;
  /** Makes the run's streams: for the coordinator. */
  readonly create?: StreamOptions;
}

/** A run on a NATS server. */
export interface NatsTransport extends Transport {
  /** The server's, as it tells it. */
  readonly serverVersion: string;
}

/** Milliseconds between signs of life. Those of the tensors wait behind tensors. */
const CONTROL_PING = 3000;
const TENSOR_PING = 20_000;

/**
 * Opens a run on a NATS server, over two connections: what is small never waits behind tensors.
 *
 * @throws MeanfieldError as {@link connectNats} and {@link createStreams} do
 */
export async function openNatsTransport(options: NatsTransportOptions): Promise<NatsTransport> {
  const subjects = subjectsOf(options.run, options.access);
  const connect = (name: string, pingInterval: number) => {
    const connection: ConnectOptions = { ...options, name: `${options.name} ${name}`, pingInterval };
    return connectNats(connection);
  };
  const connections: NatsConnection[] = [];
  try {
    connections.push(await connect('control', CONTROL_PING));
    connections.push(await connect('tensors', TENSOR_PING));
    const [control, tensors] = connections as [NatsConnection, NatsConnection];
    if (options.create) await createStreams(control, subjects, options.create);
    const patience = { control: new Patience(options), tensors: new Patience(options) };
    const parts = {
      control: new NatsControl(control, options.run),
      blobs: new NatsBlobs(tensors, subjects, patience.tensors),
      quotas: new NatsQuotas(control, subjects, options.create?.replicas ?? 1),
      state: new NatsState(control, subjects, patience.control),
    };
    return new OpenTransport(control.info?.version ?? '', parts, [
      { connection: control, patience: patience.control },
      { connection: tensors, patience: patience.tensors },
    ]);
  } catch (error) {
    await Promise.all(connections.map((connection) => connection.close()));
    throw error;
  }
}

interface Parts {
  readonly control: ControlChannel;
  readonly blobs: BlobStore;
  readonly quotas: BlobQuotas;
  readonly state: StateStore;
}

/** A connection, and what waits for answers on it. */
interface Line {
  readonly connection: NatsConnection;
  readonly patience: Patience;
}

class OpenTransport implements NatsTransport {
  readonly control: ControlChannel;
  readonly blobs: BlobStore;
  readonly quotas: BlobQuotas;
  readonly state: StateStore;
  private readonly listeners = new Set<(status: TransportStatus) => void>();
  private readonly down = new Set<NatsConnection>();
  private closing = false;

  constructor(
    readonly serverVersion: string,
    parts: Parts,
    private readonly lines: readonly Line[],
  ) {
    ({ control: this.control, blobs: this.blobs, quotas: this.quotas, state: this.state } = parts);
    for (const line of lines) void this.follow(line);
  }

  onStatus(listener: (status: TransportStatus) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.all(
      this.lines.map(async ({ connection }) => {
        // What was sent last, such as a farewell, is to arrive; a server that is gone must not hold us up.
        if (!this.down.has(connection)) await Promise.race([connection.flush().catch(() => {}), shortly()]);
        await connection.close();
      }),
    );
  }

  private async follow({ connection, patience }: Line): Promise<void> {
    let refusal: Error | undefined;
    void connection.closed().then((error) => {
      // It tries again forever, but for a refusal.
      const reason = `the server no longer takes our credential: ${messageOf(error ?? refusal ?? 'closed')}`;
      this.change(connection, { connected: false, reason, shutOut: true });
    });
    for await (const status of connection.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') {
        const reason = 'the connection to the NATS server is lost; trying again twice a second';
        this.change(connection, { connected: false, reason, shutOut: false });
      } else if (status.type === 'reconnect') {
        // What was under way when the connection was lost will not be answered.
        patience.beginAnew();
        this.change(connection, { connected: true, reason: 'connected to the NATS server again', shutOut: false });
      } else if (status.type === 'error' && isRefusal(status.error)) {
        refusal = status.error;
      }
    }
  }

  private change(connection: NatsConnection, { connected, reason, shutOut }: TransportStatus): void {
    if (this.closing) return;
    const before = this.down.size > 0;
    if (connected) this.down.delete(connection);
    else this.down.add(connection);
    const isDown = this.down.size > 0;
    if (isDown === before && !shutOut) return;
    for (const listener of this.listeners) listener({ connected: !isDown, reason, shutOut });
  }
}

function shortly(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000).unref());
}
