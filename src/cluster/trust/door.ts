import type { NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { type Credential, connectNats, type NatsAddress } from '../nats/connect.js';
import { NatsControl } from '../nats/control.js';
import { openNatsTransport } from '../nats/transport.js';
import type { Door, Transport } from '../transport.js';
import type { Invitation } from './invitation.js';
import { makeNkey, nkeyOf } from './keys.js';
import { inboxOf } from './server-config.js';

const PING = 5000;

/** What the gate gives to those whom it lets in. */
const passSchema = z.discriminatedUnion('access', [
  /** The key that was told is known now. */
  z.strictObject({ access: z.literal('own') }),
  z.strictObject({ access: z.literal('signed'), jwt: z.string().max(16_384) }),
  z.strictObject({ access: z.literal('shared') }),
]);

/**
 * Goes to the door that an invitation leads to.
 *
 * @throws MeanfieldError when no server answers there, or it refuses the invitation
 */
export async function openDoor(invitation: Invitation): Promise<Door> {
  const { run, servers, certificate } = invitation;
  const address: NatsAddress = { servers, credential: invitation.credential, ...(certificate && { certificate }) };
  const own = makeNkey();
  const connection: NatsConnection = await connectNats({
    ...address,
    name: 'at the door',
    inbox: inboxOf(doorKey(invitation.credential) ?? own.key),
    pingInterval: PING,
  });
  const control = new NatsControl(connection, run);
  return {
    key: own.key,
    ask: (what, message, timeout) => control.ask(what, message, timeout),
    enter: (workers, pass): Promise<Transport> => {
      const { data: given } = passSchema.safeParse(json(pass));
      if (!given)
        throw new MeanfieldError('The coordinator gave a pass that cannot be read. Is it of another version?');
      const credential: Credential =
        given.access === 'shared'
          ? invitation.credential
          : given.access === 'own'
            ? { kind: 'nkey', seed: own.seed }
            : { kind: 'jwt', seed: own.seed, jwt: given.jwt };
      return openNatsTransport({
        ...address,
        credential,
        run,
        name: workers.join(' '),
        inbox: inboxOf(own.key),
        isolated: given.access === 'own',
      });
    },
    close: () => connection.close(),
  };
}

/** The public key by which one asks, where the server knows us by one. */
function doorKey(credential: Credential): string | undefined {
  return credential.kind === 'nkey' || credential.kind === 'jwt' ? nkeyOf(credential.seed).key : undefined;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
