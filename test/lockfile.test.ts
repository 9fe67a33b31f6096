import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

interface LockedPackage {
  readonly version: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

test.each(['', 'bench/peers/'])(
  'npm ci finds every optional package in %spackage-lock.json, those of other platforms too, and no registry is named',
  async (folder) => {
    const file = await readFile(new URL(`../${folder}package-lock.json`, import.meta.url), 'utf8');
    const { packages } = JSON.parse(file) as { packages: Record<string, LockedPackage> };
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  },
);
