import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;
const EVERYWHERE = '0.0.0.0';

/**
 * The address at which a server of ours listens: no other than workers need by the names that they are told.
 *
 * @param hosts by which the user says that others reach this machine; every address of it when none was said
 */
export function listenAddress(hosts: readonly string[] | undefined): string {
  const names = [...new Set(hosts ?? [])];
  if (names.length > 0 && names.every((name) => LOOPBACK.test(name))) return names.every(isIPv6) ? '::1' : '127.0.0.1';
  // A name, or the address of a router before us, says nothing of which of ours it leads to.
  const [only] = names;
  return names.length === 1 && ownAddresses().includes(only!) ? only! : EVERYWHERE;
}

/** Whether a server that listens there is reached by this name, as far as one can tell. */
export function reaches(listen: string, name: string): boolean {
  return listen === EVERYWHERE || name === listen || (LOOPBACK.test(listen) && LOOPBACK.test(name));
}

/** By which this machine itself reaches a server that listens there. */
export function nearAddress(listen: string): string {
  return listen === EVERYWHERE ? '127.0.0.1' : listen;
}

/** A host as it stands before the port. */
export function beforePort(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** Addresses of this machine as others see it. */
export function networkAddresses(): string[] {
  return addresses()
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
}

function ownAddresses(): string[] {
  return addresses().map(({ address }) => address);
}

function addresses() {
  return Object.values(networkInterfaces()).flatMap((found = []) => found);
}
