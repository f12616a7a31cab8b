/** Who may begin a rollout, go on with it and approve its phases: certificates of each role, by the API that operators use from elsewhere. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import type { Release, RolloutAction } from '../../../src/client/contract/index.ts';
import { defaultCoordinatorConfig } from '../../../src/config/index.ts';
import { createDeviceKeyAndCsr } from '../../../src/pki/index.ts';
import { operatorRoles, type OperatorRole } from '../../../src/role.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { connectBoard, publishRelease, updateBoard } from './board-bench.ts';
import { fleetId, startCore, type CoreBench } from './core-bench.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let core: CoreBench;
let release: Release;
const as = {} as Record<OperatorRole, CoordinatorClient>;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const api = { ...defaultCoordinatorConfig.api, listen: { host: '127.0.0.1', port: 0 } };
  core = await startCore(directory.path, { api });
  release = await publishRelease(core, directory.path, '2.0.0');
  const { port } = (await core.client.status()).api.certificate!;
  for (const role of operatorRoles) {
    const { csrPem: csr, privateKeyPem: keyPem } = await createDeviceKeyAndCsr(role);
    const { certificate, authority } = await core.client.addOperator({ name: role, role, csr });
    const credential = { kind: 'certificate' as const, certificatePem: certificate!, keyPem };
    const serverName = `coordinator.${fleetId}.flotilla`;
    const endpoint = { host: '127.0.0.1', port, serverName, authorityPem: authority, credential };
    as[role] = new CoordinatorClient(new HttpConnection(endpoint));
  }
});
afterAll(async () => {
  await core?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const forbidden = { code: 'role-forbidden', fault: 'forbidden' };
const others = (...allowed: OperatorRole[]) => operatorRoles.filter((role) => !allowed.includes(role));

describe('an approval', () => {
  it('is refused to every role but the one that the gate names, and an admin', async () => {
    const boards = [await connectBoard(core, 'p-1'), await connectBoard(core, 'p-2')];
    const phases = [{ size: '1', gate: { approval: 'technician' as const } }, { size: 'rest' }];
    const { id } = await as.release.startRollout({ release: release.id, selector: 'p-*', expect: 2, phases });
    await expect(as.technician.changeRollout(id, 'approve', {})).rejects.toMatchObject({ code: 'rollout-state' });
    await updateBoard(boards[0]!, release, 'committed');
    for (const role of others('technician', 'admin')) {
      await expect(as[role].changeRollout(id, 'approve', {}), role).rejects.toMatchObject({
        code: 'rollout-approval',
        fault: 'forbidden',
        detail: { seen: `operator:${role} has the role ${role}`, expected: 'the role technician or admin' },
      });
    }
    expect(await core.client.rollout(id)).toMatchObject({ phases: [{ state: 'approval' }, { state: 'waiting' }] });
    const approved = await as.technician.changeRollout(id, 'approve', {});
    expect(approved).toMatchObject({ phases: [{ state: 'passed', approvedBy: 'operator:technician' }, {}] });
    await core.client.changeRollout(id, 'abort', {});
  });
});

describe('a rollout gives nobody more than he may do without', () => {
  const command: RolloutAction = { kind: 'job', job: { kind: 'ping' } };
  const settings: RolloutAction = { kind: 'config', name: 'app', document: {} };

  it.each([command, settings, { kind: 'certificate' } as const])('$kind: only who operates', async (action) => {
    await connectBoard(core, `q-${action.kind}`);
    const request = { action, selector: `q-${action.kind}` };
    for (const role of others('operator', 'admin'))
      await expect(as[role].startRollout(request), role).rejects.toMatchObject(forbidden);
    const plan = await as.viewer.planRollout(request);
    await expect(as.release.applyRollout(plan)).rejects.toMatchObject(forbidden);
    const { id } = await as.operator.applyRollout(plan);
    await as.release.changeRollout(id, 'pause', {});
    await expect(as.release.changeRollout(id, 'resume', {})).rejects.toMatchObject(forbidden);
    await as.operator.changeRollout(id, 'resume', {});
    await as.operator.changeRollout(id, 'abort', {});
  });

  it('a release: only who brings software', async () => {
    await connectBoard(core, 'r-1');
    const request = { release: release.id, selector: 'r-1' };
    for (const role of others('release', 'admin'))
      await expect(as[role].startRollout(request), role).rejects.toMatchObject(forbidden);
    const { id } = await as.release.startRollout(request);
    await as.operator.changeRollout(id, 'pause', {});
    await expect(as.operator.changeRollout(id, 'resume', {})).rejects.toMatchObject(forbidden);
    await as.release.changeRollout(id, 'abort', {});
  });
});
