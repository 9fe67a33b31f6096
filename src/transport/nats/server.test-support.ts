import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether tests with a NATS server can run. With MEANFIELD_REQUIRE_NATS=1 they do, so a missing server fails them. */
export const natsThere = process.env.MEANFIELD_REQUIRE_NATS === '1' || isThere();

/** A server of a test, with a configuration of the test's own. */
export interface TestServer {
  readonly url: string;
  readonly folder: string;
  readonly child: ChildProcess;
  /** Kills it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and folder. */
  restart(): Promise<void>;
  /** Ends it and removes what it stored. */
  remove(): Promise<void>;
}

/** @param configuration beside port, log and the folder of JetStream; `FOLDER` stands for the server's folder */
export async function startTestServer(
  configuration = 'jetstream { store_dir: "FOLDER/js" }\nmax_payload: 8MB',
  port = -1,
): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'meanfield-nats-'));
  const config = join(folder, 'server.conf');
  const write = (at: number) =>
    writeFileSync(config, `listen: "127.0.0.1:${at}"\n${configuration.replaceAll('FOLDER', folder)}\n`);
  write(port);
  const begin = async () => {
    const args = ['-c', config, '--ports_file_dir', folder, '-l', join(folder, 'server.log')];
    const child = spawn('nats-server', args, { stdio: 'ignore' });
    const name = `nats-server_${child.pid}.ports`;
    // It may be there before it is written.
    const isWritten = () =>
      readdirSync(folder).includes(name) && readFileSync(join(folder, name), 'utf8').endsWith('}');
    for (let waited = 0; !isWritten(); waited += 20) {
      if (child.exitCode !== null || waited > 10_000) throw new Error(log());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { nats } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { nats: string[] };
    return { child, url: nats[0]! };
  };
  const log = () => readFileSync(join(folder, 'server.log'), 'utf8');
  let { child, url } = await begin();
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    url,
    folder,
    get child() {
      return child;
    },
    kill,
    restart: async () => {
      await kill();
      write(Number(new URL(url).port));
      ({ child, url } = await begin());
    },
    remove: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function isThere(): boolean {
  try {
    execFileSync('nats-server', ['--version']);
    return true;
  } catch {
    return false;
  }
}
