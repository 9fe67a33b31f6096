import { expect, test } from 'vitest';
import { encodeInvitation } from '../../transport/trust/invitation.js';
import { testOutput } from '../terminal/test-output.js';
import { ENDS, eventLine, join, summary } from './join.js';

test('what a worker does is told; what matters later stays', () => {
  expect(eventLine({ type: 'preparing', stage: 'tokens', fraction: 0.456 })).toEqual({
    text: 'tokens 45 %',
    stays: false,
  });
  expect(eventLine({ type: 'joined', run: 'abc', workers: ['a-1', 'a-2'] })).toEqual({
    text: 'joined abc as a-1, a-2',
    stays: true,
  });
  expect(
    eventLine({ type: 'contributed', worker: 'a', round: 3, tokens: 1200, loss: 2.5, tokensPerSecond: 600 }).text,
  ).toBe('round 3: contributed 1.2k tokens, loss 2.500, 600 tokens/s');
  expect(eventLine({ type: 'refused', worker: 'a', about: 'contribution', code: 'x', reason: 'not finite' })).toEqual({
    text: 'contribution was refused: not finite',
    stays: true,
  });
  expect(eventLine({ type: 'waiting', for: 'the next round', seconds: 65 }).text).toBe(
    'waiting for the next round, 1 min 5 s',
  );
});

test('the end says why', () => {
  const result = { type: 'result' as const, run: 'abc', workers: ['a'], rounds: 12, tokens: 3400, seconds: 61 };
  expect(summary({ ...result, ended: 'evicted' })).toBe(
    'Evicted by the coordinator. 12 rounds and 3.4k tokens for abc in 1 min 1 s.\n',
  );
  expect(summary({ ...result, ended: 'finished' })).toMatch(/^The run is over/);
  // What starts workers again goes by it (launchers/): 1 would be taken for a crash.
  expect(ENDS).toEqual({ finished: 0, left: 0, evicted: 3 });
});

test('what is no invitation is refused before anything is asked', async () => {
  const context = { output: testOutput(), closed: new AbortController().signal };
  await expect(join('hello', {}, context)).rejects.toThrow(/Expected an invitation/);
});

test('a password in the invitation is not shown', async () => {
  const output = testOutput();
  const invitation = encodeInvitation({
    coordinator: 'c'.repeat(43),
    ...{ run: 'r', servers: ['nats://u:secret@127.0.0.1:1'], credential: { kind: 'none' } },
    ...{ access: 'shared', expires: Date.now() + 60_000 },
  });
  const joining = join(invitation, {}, { output, closed: new AbortController().signal });
  await expect(joining).rejects.toThrow(/No NATS server answers at nats:\/\/127\.0\.0\.1:1/);
  expect(output.stderr.join('')).toContain('knocking at nats://127.0.0.1:1');
  expect(output.stderr.join('')).not.toContain('secret');
});
