import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { beforePort, listenAddress, nearAddress, networkAddresses, reaches } from './listen-address.js';

test('a server listens where it was asked to, and everywhere only when nobody said where', () => {
  expect(listenAddress(undefined)).toBe('0.0.0.0');
  for (const hosts of [['127.0.0.1'], ['localhost'], ['localhost', '127.0.0.1'], ['127.0.1.1', '::1'], ['LOCALHOST']])
    expect(listenAddress(hosts), String(hosts)).toBe('127.0.0.1');
  expect(listenAddress(['::1'])).toBe('::1');
  const [own] = networkAddresses();
  if (own !== undefined) {
    expect(listenAddress([own])).toBe(own);
    expect(listenAddress([own, 'localhost'])).toBe('0.0.0.0');
  }
});

test('names and addresses that are not ours may lead to any of ours', () => {
  const ours = Object.values(networkInterfaces()).flatMap((found = []) => found.map(({ address }) => address));
  expect(ours).not.toContain('192.0.2.7');
  for (const host of ['192.0.2.7', 'cluster.example', 'localhost.example', '127.0.0.1.example'])
    expect(listenAddress([host])).toBe('0.0.0.0');
});

test('it is known who reaches it, and how it is written', () => {
  expect([reaches('0.0.0.0', 'a'), reaches('127.0.0.1', 'localhost'), reaches('127.0.0.1', '10.0.0.1')]).toEqual([
    true,
    true,
    false,
  ]);
  expect(reaches('10.0.0.1', 'localhost')).toBe(false);
  expect([nearAddress('0.0.0.0'), nearAddress('10.0.0.1'), beforePort('::1'), beforePort('a')]).toEqual([
    ...['127.0.0.1', '10.0.0.1', '[::1]', 'a'],
  ]);
});
