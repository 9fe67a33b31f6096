import { expect, it } from 'vitest';
import { coordinatorPolicy, coordinatorService, workersPolicy } from './network.js';
import { type KubernetesPlan, labels, type Manifest } from './plan.js';

const workers = { count: 1, cpus: 1, memory: '1Gi', gpus: 0, join: [] as readonly string[] };
const plan: KubernetesPlan = { name: 'book', image: 'm', workers };

interface Rule {
  readonly to?: readonly object[];
  readonly from?: readonly object[];
  readonly ports: readonly { readonly protocol: string; readonly port: number }[];
}

function rulesOf(policy: Manifest): { readonly ingress: readonly Rule[]; readonly egress: readonly Rule[] } {
  expect((policy.spec as { policyTypes: unknown }).policyTypes).toEqual(['Ingress', 'Egress']);
  return policy.spec as ReturnType<typeof rulesOf>;
}

const ports = (rules: readonly Rule[]) =>
  rules.map((rule) => rule.ports.map(({ protocol, port }) => `${protocol} ${port}`));

it("lets the run's workers alone reach the server, and the coordinator nobody", () => {
  const { ingress, egress } = rulesOf(coordinatorPolicy(plan));
  expect(ports(ingress)).toEqual([['TCP 4222'], ['TCP 9464']]);
  expect(ingress[0]!.from).toEqual([{ podSelector: { matchLabels: labels(plan, 'workers') } }]);
  expect(egress).toEqual([]);
  expect(coordinatorService(plan)).toMatchObject({
    metadata: { name: 'book-coordinator' },
    spec: { selector: labels(plan, 'coordinator'), ports: [{ port: 4222 }] },
  });
});

it('lets nobody reach the workers, and them the server and names', () => {
  const { ingress, egress } = rulesOf(workersPolicy(plan));
  expect(ingress).toEqual([]);
  expect(ports(egress)).toEqual([['TCP 4222'], ['UDP 53', 'TCP 53']]);
  expect(egress[0]!.to).toEqual([{ podSelector: { matchLabels: labels(plan, 'coordinator') } }]);
});

it('knows servers elsewhere by their ports, and the web only where data comes from there', () => {
  const join = ['--data-host', 'data.example'];
  const { egress } = rulesOf(workersPolicy({ ...plan, workers: { ...workers, join } }, [4222, 443]));
  expect(ports(egress)).toEqual([
    ['TCP 4222', 'TCP 443'],
    ['UDP 53', 'TCP 53'],
    ['TCP 80', 'TCP 443'],
  ]);
  expect(egress[0]!.to).toBeUndefined();
});
