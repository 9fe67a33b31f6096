import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { StateConflictError } from '../errors.js';
import { type RunKey, RunVerifier } from '../signed.js';
import type { StateStore } from '../transport.js';
import { secretFolder } from './connection-file.js';
import { joinInvitations, type KeptInvitation, keptInvitation, unexpired, useInvitation } from './invitations.js';

const schema = z.array(keptInvitation);
/** As others may read it: without what proves that one was invited. */
const sharedSchema = z.array(keptInvitation.omit({ seed: true }));
/** The state's key in the message system. */
const INVITATIONS = 'invitations';

/**
 * The invitations to a run on a server that someone else runs. They are kept in the run's folder, and signed in the
 * message system, so that a coordinator that takes over on another machine knows which were made, used and withdrawn.
 * What the folder remembers holds also where the server has put back an old list.
 */
export class InvitationFile {
  #shared: { readonly state: StateStore; readonly key: RunKey } | undefined;

  private constructor(
    private readonly path: string,
    private kept: readonly KeptInvitation[],
  ) {}

  /** @throws MeanfieldError when the file is damaged */
  static async open(runFolder: string): Promise<InvitationFile> {
    const path = join(await secretFolder(runFolder), 'invitations.json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new InvitationFile(path, []);
      throw error;
    }
    try {
      return new InvitationFile(path, unexpired(schema.parse(JSON.parse(text))));
    } catch (error) {
      throw new MeanfieldError(`${path} is damaged. Delete it: those who are not in yet then need a new invitation.`, {
        cause: error,
      });
    }
  }

  all(): readonly KeptInvitation[] {
    return this.kept;
  }

  /** Begins to share with the coordinators on other machines: for the one that leads. @returns what ends it */
  async share(state: StateStore, key: RunKey): Promise<() => void> {
    this.#shared = { state, key };
    await this.keep(this.kept);
    return () => {
      this.#shared = undefined;
    };
  }

  /**
   * Notes that the holder of a key asks by an invitation.
   *
   * @throws MeanfieldError when it is not good (any more)
   */
  async use(id: string | undefined, key: string): Promise<void> {
    const used = useInvitation(this.kept, id, key);
    if (used !== this.kept) await this.keep(used);
  }

  async keep(all: readonly KeptInvitation[]): Promise<void> {
    await this.#write(all);
    const shared = this.#shared;
    if (!shared) return;
    for (;;) {
      const found = await shared.state.get(INVITATIONS);
      const theirs = readShared(found?.value, shared.key);
      await this.#write(joinInvitations(this.kept, theirs));
      const ours = this.kept.map(({ seed: _, ...rest }) => rest);
      if (JSON.stringify(ours) === JSON.stringify(theirs.map(({ seed: _, ...rest }) => rest))) return;
      try {
        const content = new TextEncoder().encode(JSON.stringify(ours));
        await shared.state.set(INVITATIONS, shared.key.signed('invitations', content), found?.revision ?? 0);
        return;
      } catch (error) {
        // Another coordinator was faster: what it knows counts too.
        if (!(error instanceof StateConflictError)) throw error;
      }
    }
  }

  async #write(all: readonly KeptInvitation[]): Promise<void> {
    const kept = unexpired(all);
    if (JSON.stringify(kept) === JSON.stringify(this.kept)) return;
    this.kept = kept;
    await writeFileAtomic(this.path, JSON.stringify(kept, null, 2), { secret: true });
  }
}

/** What a coordinator has signed; nothing where the server holds anything else. */
function readShared(value: Uint8Array | undefined, key: RunKey): readonly KeptInvitation[] {
  if (value === undefined) return [];
  try {
    const content = new RunVerifier(key.public).opened('invitations', value);
    const parsed = sharedSchema.parse(JSON.parse(new TextDecoder().decode(content)));
    return unexpired(parsed.map((one) => ({ ...one, seed: '' })));
  } catch {
    return [];
  }
}
