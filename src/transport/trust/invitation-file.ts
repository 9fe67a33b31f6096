import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { secretFolder } from './connection-file.js';
import { invitationOf, type KeptInvitation, keptInvitation, unexpired, useInvitation } from './invitations.js';

const schema = z.array(keptInvitation);

/** The invitations to a run on a server that someone else runs, kept in the run's folder. */
export class InvitationFile {
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

  /**
   * Notes that the holder of a key asks by an invitation, made here or by a coordinator on another machine.
   *
   * @throws MeanfieldError when it is not good (any more)
   */
  async use(id: string | undefined, key: string): Promise<void> {
    const other = this.kept.some((one) => one.id === id) ? undefined : invitationOf(id);
    const all = other ? [...this.kept, other] : this.kept;
    const used = useInvitation(all, id, key);
    if (used !== all) await this.keep(used);
  }

  async keep(all: readonly KeptInvitation[]): Promise<void> {
    this.kept = unexpired(all);
    await writeFileAtomic(this.path, JSON.stringify(this.kept, null, 2), { secret: true });
  }
}
