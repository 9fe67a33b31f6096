type Version = readonly [major: number, minor: number, patch: number];

/** Faults of nats-server by which anyone who reaches a listener ends the server, without any credential. */
const FAULTS: readonly { readonly id: string; readonly since: Version; readonly fixed: readonly Version[] }[] = [
  // Decompression without a bound, and a frame's length that overflows: https://advisories.nats.io
  { id: 'CVE-2026-27571', since: [2, 2, 0], fixed: versions('2.11.12', '2.12.3') },
  { id: 'CVE-2026-27889', since: [2, 2, 0], fixed: versions('2.11.14', '2.12.5') },
];

/**
 * What to know of a server's version, and to install.
 *
 * @param version as the server tells it
 * @param websocket whether it has a WebSocket listener, where that is known
 * @returns undefined when nothing is known against it
 */
export function knownFaults(version: string, websocket: boolean | undefined): string | undefined {
  const [own] = versions(version) as [Version];
  const faults = FAULTS.filter(({ since, fixed }) => compare(own, since) >= 0 && isBefore(own, fixed));
  if (faults.length === 0) return undefined;
  const names = faults.map(({ id }) => id).join(', ');
  const install = `${faults
    .at(-1)!
    .fixed.map((one) => one.join('.'))
    .join(' or ')}, or newer: https://nats.io/download`;
  if (websocket === false) {
    return (
      `nats-server ${version} has known faults in WebSocket (${names}). Ours listens for none, so they cannot be ` +
      `reached; free of them are ${install}.`
    );
  }
  return (
    `The NATS server is version ${version}: anyone who reaches its WebSocket listener can end it (${names}). If it has ` +
    `one, install ${install}; or close that listener, which Meanfield does not need.`
  );
}

/** Whether no fix had come by then: on a version's own line, else on the first line that has one. */
function isBefore(version: Version, fixed: readonly Version[]): boolean {
  const line = fixed.find(([major, minor]) => major === version[0] && minor === version[1]) ?? fixed[0]!;
  return compare(version, line) < 0;
}

function compare(a: Version, b: Version): number {
  const differing = a.findIndex((part, i) => part !== b[i]);
  return differing < 0 ? 0 : a[differing]! - b[differing]!;
}

function versions(...texts: readonly string[]): readonly Version[] {
  return texts.map((text) => text.split(/[.-]/).slice(0, 3).map(Number) as unknown as Version);
}
