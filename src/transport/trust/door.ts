import type { NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { type Credential, connectNats, type NatsAddress } from '../nats/connect.js';
import { NatsControl } from '../nats/control.js';
import type { Access } from '../nats/subjects.js';
import { openNatsTransport } from '../nats/transport.js';
import type { Door, Transport } from '../transport.js';
import { RENEW, WORKER_VALIDITY } from './foreign-server.js';
import type { Invitation } from './invitation.js';
import { makeNkey, type Nkey, nkeyOf } from './keys.js';
import { inboxOf } from './server-config.js';
import { hasLapsed } from './user-jwt.js';

const PING = 5000;
const ANSWER_WITHIN = 10_000;

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
    coordinator: invitation.coordinator,
    hosts: servers.map((url) => new URL(url.includes('://') ? url : `nats://${url}`).hostname),
    ask: (what, message, timeout) => control.ask(what, message, timeout, invitation.id),
    enter: async (workers, pass): Promise<Transport> => {
      const given = parsePass(pass);
      const open = (credential: Credential, access: Access) =>
        openNatsTransport({ ...address, credential, run, name: workers.join(' '), inbox: inboxOf(own.key), access });
      switch (given.access) {
        case 'own':
          return open({ kind: 'nkey', seed: own.seed }, 'isolated');
        case 'signed':
          return renewed(own, given.jwt, (credential) => open(credential, 'signed'));
        case 'shared':
          return open(invitation.credential, 'all');
      }
    },
    close: () => connection.close(),
  };
}

/** The public key by which one asks, where the server knows us by one. */
function doorKey(credential: Credential): string | undefined {
  return credential.kind === 'nkey' || credential.kind === 'jwt' ? nkeyOf(credential.seed).key : undefined;
}

type Pass = z.output<typeof passSchema>;

function parsePass(text: string): Pass {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { data } = passSchema.safeParse(value);
  if (!data) throw new MeanfieldError('The coordinator gave a pass that cannot be read. Is it of another version?');
  return data;
}

/** Opens with a JWT and asks for the next one in time, so that a reconnection finds it. */
async function renewed(
  own: Nkey,
  first: string,
  open: (credential: Credential) => Promise<Transport>,
): Promise<Transport> {
  let jwt = first;
  const transport = await open({ kind: 'jwt', seed: own.seed, jwt: () => jwt });
  const renew = async () => {
    const pass = parsePass(
      new TextDecoder().decode(await transport.control.ask(RENEW, new TextEncoder().encode(jwt), ANSWER_WITHIN)),
    );
    if (pass.access === 'signed') jwt = pass.jwt;
  };
  // A coordinator that is down is asked again a few times before the JWT ends; then the connection ends and says so.
  const timer = setInterval(() => void renew().catch(() => {}), (WORKER_VALIDITY * 1000) / 6);
  timer.unref();
  const { control, blobs, quotas, state } = transport;
  return {
    control,
    blobs,
    quotas,
    state,
    // A JWT that nobody renewed in time says nothing about what the coordinator wants.
    onStatus: (listener) =>
      transport.onStatus((status) => listener({ ...status, shutOut: status.shutOut && !hasLapsed(jwt) })),
    close: async () => {
      clearInterval(timer);
      await transport.close();
    },
  };
}
