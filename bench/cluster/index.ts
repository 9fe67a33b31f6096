import { parseArgs, root } from '../lib.js';
import { openKept } from './keep.js';
import { networkMissing } from './network.js';
import type { Setting } from './settings.js';

type Measure = (setting: Setting) => Promise<void>;

/** What each measures, in the order of the figures; the long ones last. */
const measures: Readonly<
  Record<string, { readonly about: string; readonly load: () => Promise<{ measure: Measure }> }>
> = {
  'time-to-loss': {
    about: 'Time to the loss of per-step synchronisation, 100 Mb/s, 4×256',
    load: () => import('./measures/time-to-loss.js'),
  },
  traffic: {
    about: 'Bytes a token and compute utilisation, 100 Mb/s, 4×256',
    load: () => import('./measures/traffic.js'),
  },
  adapter: {
    about: 'An adapter of SmolLM2-135M between two machines at 10 Mb/s',
    load: () => import('./measures/adapter.js'),
  },
  exchange: { about: 'Exchange of 500 MB beside plain JetStream', load: () => import('./measures/exchange.js') },
  coordinators: {
    about: 'Coordinator and NATS leader killed',
    load: () => import('./measures/coordinators.js'),
  },
  partition: { about: 'Half the workers cut off', load: () => import('./measures/partition.js') },
  deaths: { about: 'Workers killed at random', load: () => import('./measures/deaths.js') },
  moments: {
    about: 'What averaged moments buy for their bytes, 2M tokens of 4×128 characters',
    load: () => import('./measures/moments.js'),
  },
  price: {
    about: 'The exchange beside that of another build, and with double sums',
    load: () => import('./measures/price.js'),
  },
  liar: {
    about: '1 liar of 4 within the norms: loss after 2M tokens by merge, in this process',
    load: () => import('./measures/liar.js'),
  },
  loss: { about: 'Loss after equal tokens, 4×128 characters', load: () => import('./measures/loss.js') },
};

/**
 * `npm run bench -- cluster [MEASURE...] --data FOLDER [--keep FOLDER] [--delay MS] [--workers 2,4]
 * [--minutes 10] [--seeds 1,2] [--base FOLDER] [--quick yes]`: real processes in network
 * namespaces, as root, with nats-server and iproute2. FOLDER holds train.txt of War and Peace. What was measured before
 * is kept and not measured again.
 */
export async function run(args: string[]): Promise<void> {
  const { options, rest } = parseArgs(args);
  const unknown = rest.find((name) => !Object.hasOwn(measures, name));
  if (unknown !== undefined)
    throw new Error(`there is no measure ${unknown}; there are ${Object.keys(measures).join(', ')}`);
  // Liars need no network of machines.
  const network = rest.length === 0 || rest.some((name) => name !== 'liar');
  const missing = options.data === undefined ? '--data FOLDER was not given' : network ? networkMissing() : undefined;
  if (missing !== undefined) {
    console.log(`Skipped: ${missing}.`);
    return;
  }
  const setting: Setting = {
    kept: openKept(options.keep ?? `${root}bench/.cache/cluster`),
    data: options.data!,
    delay: Number(options.delay ?? 0),
    base: options.base,
    quick: options.quick !== undefined,
    minutes: Number(options.minutes ?? 10),
    workers: (options.workers ?? '2,4').split(',').map(Number),
    seeds: (options.seeds ?? '1,2').split(',').map(Number),
  };
  for (const name of rest.length > 0 ? rest : Object.keys(measures)) {
    const { about, load } = measures[name]!;
    console.log(`\n### ${about}`);
    await (await load()).measure(setting);
  }
}
