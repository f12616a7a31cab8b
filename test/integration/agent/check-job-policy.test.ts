import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultAgentConfig } from '../../../src/config/agent-default.ts';
import { checkJobPolicy } from '../../../src/device/diagnose/check-job-policy.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

it('says whether the policy of the owner can be used, before a job finds out', async () => {
  await using directory = await temporaryDirectory();
  const policy = join(directory.path, 'job-policy.yaml');
  const look = () => checkJobPolicy({ jobs: { ...defaultAgentConfig.jobs, policy } });
  expect(await look()).toMatchObject({ verdict: 'ok', detail: expect.stringContaining('no job-policy.yaml') });
  await writeFile(policy, 'rules:\n  - name: all\n', { mode: 0o600 });
  expect(await look()).toMatchObject({ verdict: 'ok', detail: expect.stringContaining('1 rule in') });
  await writeFile(policy, 'rules:\n  - name: none\n    refuse: true\n');
  expect(await look()).toMatchObject({ verdict: 'warn' });
  await writeFile(policy, 'rules:\n  - name: all\n    commads: [ls]\n');
  expect(await look()).toMatchObject({ verdict: 'bad', detail: expect.stringContaining('commads') });
  await writeFile(policy, 'rules:\n  - name: all\n');
  await chmod(policy, 0o666);
  expect(await look()).toMatchObject({ verdict: 'bad', mend: `chmod go-w ${policy}` });
});
