import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Outcome, runJson } from '../lib.js';

const INSTALL = 'apt-get install hpcc libopenblas0-pthread';

/** How one run of hpcc is cut. */
export interface HpccSetting {
  readonly n: number;
  readonly nb: number;
  /** Processes, in one row as our threads are, and OpenBLAS's threads in each. */
  readonly processes: number;
  readonly threads: number;
}

/** The peer that is installed: its versions and the kernels that OpenBLAS is told to use; or why it is left out. */
export type Hpcc = { readonly about: string; readonly core: string | undefined } | { readonly skipped: string };

const tell = (command: string, ...args: string[]): string => {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: tmpdir() });
  return `${stdout ?? ''}${stderr ?? ''}`.trim();
};

/** Looks for Debian's hpcc with OpenBLAS: another BLAS would be no peer. */
export function findHpcc(): Hpcc {
  const path = tell('sh', '-c', 'command -v hpcc');
  if (path === '') return { skipped: `not installed: ${INSTALL}` };
  if (!/openblas/i.test(tell('sh', '-c', `ldd ${path}; readlink -f $(ldd ${path} | awk '/libblas/ { print $3 }')`))) {
    return { skipped: `its BLAS is not OpenBLAS: ${INSTALL}` };
  }
  const version = (name: string) => /^Version: (.*)$/m.exec(tell('dpkg', '-s', name))?.[1] ?? 'of unknown version';
  const core = process.env.OPENBLAS_CORETYPE ?? kernelsOfThisProcessor();
  return {
    about: `hpcc ${version('hpcc')}, OpenBLAS ${version('libopenblas0-pthread')} with its kernels for ${core ?? 'what it takes this processor for'}`,
    core,
  };
}

/** OpenBLAS takes processors younger than itself for one of 2004 (Prescott), at a third of the speed: it is told better. */
function kernelsOfThisProcessor(): string | undefined {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
  const has = (...names: string[]) => names.every((name) => flags.includes(name));
  if (has('avx512f', 'avx512dq', 'avx512bw', 'avx512vl')) return 'SkylakeX';
  return has('avx2', 'fma') ? 'Haswell' : undefined;
}

/** Runs hpcc, whose other tests cannot be left out, and reads HPL's own rate, time and residual. */
export async function runHpcc(core: string | undefined, { n, nb, processes, threads }: HpccSetting): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'hpcc-'));
  try {
    writeFileSync(join(folder, 'hpccinf.txt'), input(n, nb, processes));
    const many = processes === 1 ? '' : `mpirun --oversubscribe --bind-to none -n ${processes} `;
    // What is run must print a line of JSON last.
    const script = `cd "$1" && ${many}hpcc >&2 && echo {}`;
    const ran = await runJson('env', [
      ...['OMPI_ALLOW_RUN_AS_ROOT=1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1', `OPENBLAS_NUM_THREADS=${threads}`],
      ...(core === undefined ? [] : [`OPENBLAS_CORETYPE=${core}`]),
      ...['sh', '-c', script, 'sh', folder],
    ]);
    return ran.skipped === undefined ? readOutput(readFileSync(join(folder, 'hpccoutf.txt'), 'utf8')) : ran;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** HPL's part of hpccoutf.txt: `WR11C2R4 N NB P Q time gflops`, then the scaled residual and whether it passes. */
function readOutput(text: string): Outcome {
  const rate = /^W[RC]\S+\s+\d+\s+\d+\s+\d+\s+\d+\s+(\S+)\s+(\S+)\s*$/m.exec(text);
  const check = /^\|\|Ax-b\|\|_oo\/\(eps.*=\s*(\S+) \.+ (\w+)/m.exec(text);
  if (rate === null || check === null) return { skipped: 'hpccoutf.txt has no result of HPL' };
  if (check[2] !== 'PASSED') return { skipped: `its own residual ${check[1]} fails` };
  return { seconds: Number(rate[1]), gflops: Number(rate[2]), residual: Number(check[1]) };
}

/** hpccinf.txt: HPL.dat with Debian's settings but the size, the blocks and the grid. */
function input(n: number, nb: number, processes: number): string {
  const lines = [
    ...['HPLinpack benchmark input file', 'Innovative Computing Laboratory, University of Tennessee'],
    ...['HPL.out output file', '8 device out', '1 number of N', `${n} Ns`, '1 number of NB', `${nb} NBs`],
    ...['0 PMAP', '1 number of grids', '1 Ps', `${processes} Qs`, '16.0 threshold'],
    ...['1 number of PFACT', '2 PFACTs', '1 number of NBMIN', '4 NBMINs', '1 number of NDIV', '2 NDIVs'],
    ...['1 number of RFACT', '1 RFACTs', '1 number of BCAST', '1 BCASTs', '1 number of DEPTH', '1 DEPTHs'],
    ...['2 SWAP', '64 swapping threshold', '0 L1', '0 U', '1 Equilibration', '8 alignment'],
    ...['##### separator', '0 more sizes for PTRANS', '1000', '0 more blocks for PTRANS', '40'],
  ];
  return `${lines.join('\n')}\n`;
}
