import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Approval, type Asking, ask, decide, idOf, isWaiting, MOST_WAITING, withoutWaiting } from './approvals.js';

const asking = (key: string): Asking => ({ key, host: `host of ${key}`, address: null, replicas: 1 });

function asked(approvals: readonly Approval[], key: string): readonly Approval[] {
  const result = ask(approvals, asking(key), 5);
  if ('full' in result) throw new Error(result.full);
  return result.approvals;
}

it('keeps who asks once, under an id of its key, until a person says a word, which may be changed', () => {
  const one = asked([], 'a');
  expect(one).toEqual([{ ...asking('a'), id: idOf('a'), since: 5, decision: 'waiting' }]);
  expect(asked(one, 'a')).toBe(one);
  const two = asked(one, 'b');
  const refused = decide(two, idOf('a'), 'refused')!;
  expect(refused.map(({ key, decision }) => `${key} ${decision}`)).toEqual(['b waiting', 'a refused']);
  expect(decide(refused, idOf('a'), 'approved')!.find(({ key }) => key === 'a')!.decision).toBe('approved');
  expect(decide(refused, idOf('c'), 'approved')).toBeUndefined();
  expect(withoutWaiting(refused, [idOf('a')])).toBe(refused);
  expect(withoutWaiting(refused, [idOf('a'), idOf('b')]).map(({ key }) => key)).toEqual(['a']);
});

it('takes no key that looks like that of another', () => {
  const other = { ...asked([], 'a')[0]!, key: 'b', id: idOf('c') };
  expect(ask([other], asking('c'), 0)).toEqual({ full: expect.stringContaining('looks like this one') });
  expect(ask([], asking('k'.repeat(129)), 0)).toEqual({ full: expect.stringContaining('128 characters') });
  const long = ask([], { ...asking('a'), host: 'h'.repeat(2000) }, 0);
  expect('approval' in long && long.approval.host).toBe('h'.repeat(64));
});

it('has so many wait and remembers so many words, in whatever order they come', () => {
  const action = fc.record({ kind: fc.constantFrom('ask', 'approved', 'refused', 'gone'), of: fc.nat(400) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 1500 }), (actions) => {
      let approvals: readonly Approval[] = [];
      for (const { kind, of } of actions) {
        const key = `k${of}`;
        const before = approvals;
        if (kind === 'ask') {
          const result = ask(approvals, asking(key), 0);
          if ('full' in result) expect(before.filter(isWaiting)).toHaveLength(MOST_WAITING);
          else ({ approvals } = result);
        } else if (kind === 'gone') approvals = withoutWaiting(approvals, [idOf(key)]);
        else approvals = decide(approvals, idOf(key), kind as 'approved') ?? approvals;
        expect(approvals.filter(isWaiting).length).toBeLessThanOrEqual(MOST_WAITING);
        expect(approvals.length).toBeLessThanOrEqual(MOST_WAITING + 256);
        expect(new Set(approvals.map(({ id }) => id)).size).toBe(approvals.length);
        // Nothing but a word lets anybody in.
        const let_in = approvals.filter((one) => one.decision === 'approved' && !before.some((o) => o === one));
        expect(let_in.every((one) => kind === 'approved' && one.key === key)).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});
