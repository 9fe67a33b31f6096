import type { NatsConnection } from '@nats-io/nats-core';
import type { BlobQuotas } from '../transport.js';
import { JetStreamRefusal, jetStreamApi } from './requests.js';
import { blobStreamConfig, NO_STREAM, type StreamConfig } from './streams.js';
import { ownerOfStream, RUN_OWNER, type Subjects, streamOf } from './subjects.js';

/** What JetStream tells of a stream. */
interface StreamInfo {
  readonly config: StreamConfig;
  readonly state: { readonly bytes: number; readonly subjects?: Readonly<Record<string, number>> };
}

/**
 * A stream for each worker, whose `max_bytes` is its quota. The server sets as many bytes aside, of those that it may
 * use, so what was granted is there; it refuses a stream for which there is no room any more.
 */
export class NatsQuotas implements BlobQuotas {
  constructor(
    private readonly connection: NatsConnection,
    private readonly subjects: Subjects,
    private readonly replicas: 1 | 3,
  ) {}

  async grant(owner: string, bytes: number): Promise<void> {
    const config = blobStreamConfig(this.subjects, owner, this.replicas, bytes);
    const what = `set aside ${(bytes / 1e6).toFixed(1)} MB for what ${owner} stores`;
    const there = await this.info(owner);
    if (!there) await this.ask('STREAM.CREATE', owner, config, what);
    // Fewer bytes than are used would have some of them deleted.
    else if (there.config.max_bytes !== bytes || there.config.max_msg_size !== -1)
      await this.ask('STREAM.UPDATE', owner, { ...config, max_bytes: Math.max(bytes, there.state.bytes) }, what);
  }

  async withdraw(owner: string): Promise<void> {
    const there = await this.info(owner);
    if (!there) return;
    const what = `end what ${owner} stores`;
    // First, so that nothing comes between: no chunk is as small as that.
    const closed = { ...there.config, max_msg_size: 1 };
    if (there.config.max_msg_size !== 1) await this.ask('STREAM.UPDATE', owner, closed, what);
    const { bytes } = (await this.info(owner))?.state ?? { bytes: 0 };
    const used = Math.max(1, bytes);
    if (there.config.max_bytes !== used) await this.ask('STREAM.UPDATE', owner, { ...closed, max_bytes: used }, what);
  }

  async keys(owner: string): Promise<readonly string[]> {
    const prefix = `${this.subjects.blobs}.`;
    const found = await this.info(owner, { subjects_filter: `${prefix}${owner}.>` });
    const chunks = Object.keys(found?.state.subjects ?? {}).filter((subject) => subject.startsWith(prefix));
    return [...new Set(chunks.map((chunk) => keyOf(chunk.slice(prefix.length))))];
  }

  async owners(): Promise<readonly string[]> {
    const found: string[] = [];
    for (;;) {
      const request = { subject: `${this.subjects.blobs}.>`, offset: found.length };
      const page = await jetStreamApi<{ readonly total: number; readonly streams: readonly string[] | null }>(
        this.connection,
        'STREAM.NAMES',
        request,
        'list who stores',
      );
      found.push(...(page.streams ?? []));
      if (found.length >= page.total || !page.streams?.length) break;
    }
    return found.flatMap((stream) => ownerOfStream(this.subjects, stream) ?? []);
  }

  async remove(owner: string): Promise<void> {
    try {
      await this.ask('STREAM.DELETE', owner, {}, `delete what ${owner} stores`);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  private async info(owner: string, request: object = {}): Promise<StreamInfo | undefined> {
    try {
      return await this.ask<StreamInfo>('STREAM.INFO', owner, request, `look for what ${owner} stores`);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  private ask<T extends object>(name: string, owner: string, request: object, what: string): Promise<T> {
    return jetStreamApi(this.connection, `${name}.${streamOf(this.subjects, owner)}`, request, what);
  }
}

/** Of a chunk's subject, without the chunk's number. */
function keyOf(subject: string): string {
  return subject.slice(0, subject.lastIndexOf('.')).replaceAll('.', '/');
}

function isMissing(error: unknown): boolean {
  return error instanceof JetStreamRefusal && error.errorCode === NO_STREAM;
}

/** Removes a run from the server: its streams with all they hold. */
export async function deleteStreams(connection: NatsConnection, subjects: Subjects): Promise<void> {
  const quotas = new NatsQuotas(connection, subjects, 1);
  for (const owner of [...(await quotas.owners()), RUN_OWNER]) await quotas.remove(owner);
  try {
    await jetStreamApi(connection, `STREAM.DELETE.${subjects.stateStream}`, {}, `delete ${subjects.stateStream}`);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
