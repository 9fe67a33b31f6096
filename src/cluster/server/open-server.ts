import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { type Spelling, spelledError } from '../../base/spelling.js';
import { asSystemError } from '../../base/system-errors.js';
import type { ForeignServerOptions } from '../../transport/trust/foreign-server.js';
import type { RunServer } from '../../transport/trust/run-server.js';
import { INVITE_HOURS, type ServerOptions } from './options.js';

/**
 * Objects to flags that do not go together, before anything is begun.
 *
 * @throws UsageError
 */
export async function checkServerOptions(flags: ServerOptions): Promise<void> {
  const foreign = ['natsCreds', 'natsNkey', 'natsSigningKey', 'sharedCredential'] as const;
  const own = ['host', 'port'] as const;
  const refuse = (say: (option: Spelling['option']) => string) => {
    throw spelledError(UsageError, ({ option }) => say(option));
  };
  const wrong = (flags.nats ? own : foreign).find((name) => flags[name] !== undefined);
  if (wrong !== undefined) {
    refuse((option) =>
      flags.nats
        ? `${option(wrong)} is for a server that Meanfield starts; with ${option('nats')} it starts none.`
        : `${option(wrong)} is for a server that runs already: name it with ${option('nats')} and its URL.`,
    );
  }
  if (!flags.nats && flags.natsReplicas === '3') {
    refuse(
      (option) =>
        `${option('natsReplicas', '3')} needs a cluster of three servers or more: name them with ${option('nats')} and ` +
        'their URLs.',
    );
  }
  if (flags.natsCreds !== undefined && flags.natsNkey !== undefined) {
    refuse((option) => `Give one of ${option('natsCreds')} and ${option('natsNkey')}, not both.`);
  }
  if (flags.natsSigningKey !== undefined && flags.sharedCredential) {
    refuse(
      (option) => `Give one of ${option('natsSigningKey')} and ${option('sharedCredential')}: the first is the safer.`,
    );
  }
  if (flags.nats) {
    const { requireCredentials } = await import('../../transport/trust/foreign-server.js');
    requireCredentials({ signed: flags.natsSigningKey !== undefined, shared: flags.sharedCredential === true });
  }
}

/** Starts the server that the flags ask for, or finds the one that they name. */
export async function openServer(
  run: { readonly id: string; readonly folder: string },
  flags: ServerOptions,
  onNotice: (message: string) => void,
): Promise<RunServer> {
  const common = {
    ...{ run: run.id, runFolder: run.folder, validHours: flags.inviteHours ?? INVITE_HOURS.inviteHours.default },
    ...(flags.approve !== undefined && { approve: flags.approve }),
  };
  if (!flags.nats) {
    const { startOwnServer } = await import('../../transport/trust/own-server.js');
    return startOwnServer({
      ...common,
      onNotice,
      ...(flags.port !== undefined && { port: flags.port }),
      ...(flags.host && { hosts: flags.host }),
    });
  }
  const { useForeignServer } = await import('../../transport/trust/foreign-server.js');
  return useForeignServer({
    ...common,
    servers: flags.nats,
    credential: await credentialOf(flags),
    ...(flags.natsSigningKey !== undefined && { signer: await signerOf(flags.natsSigningKey) }),
    shared: flags.sharedCredential === true,
  });
}

/**
 * Looks whether the port of a server of ours is free, before anything is begun.
 *
 * @throws MeanfieldError when it is not
 */
export async function requirePort({ port = 0, host }: ServerOptions): Promise<void> {
  if (port === 0) return;
  const { listenAddress } = await import('../../transport/trust/listen-address.js');
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, listenAddress(host), resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    throw spelledError(MeanfieldError, ({ option }) => {
      const next = `Give another ${option('port')}, or 0 for one that is free`;
      return messageOf(asSystemError(error, `listen at port ${port}`, next));
    });
  }
}

async function credentialOf({ natsCreds, natsNkey }: ServerOptions): Promise<ForeignServerOptions['credential']> {
  if (natsCreds !== undefined) return { kind: 'creds', text: await secret(natsCreds, 'natsCreds') };
  if (natsNkey === undefined) return { kind: 'none' };
  const seed = /\bSU[A-Z2-7]{56}\b/.exec(await secret(natsNkey, 'natsNkey'))?.[0];
  if (seed === undefined) throw new UsageError(`${natsNkey} holds no seed of a user's nkey (SU and 56 letters).`);
  return { kind: 'nkey', seed };
}

async function signerOf(path: string) {
  const { parseSigner } = await import('../../transport/trust/user-jwt.js');
  return parseSigner(await secret(path, 'natsSigningKey'));
}

async function secret(path: string, name: keyof ServerOptions): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const say = ({ option }: Spelling) => `Cannot read the file of ${option(name)}: ${messageOf(error)}.`;
    throw spelledError(MeanfieldError, say, { cause: error });
  }
}
