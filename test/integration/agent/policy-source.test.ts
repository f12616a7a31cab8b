import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PolicySource } from '../../../src/agent/executor/policy-source.ts';
import { createLog } from '../../../src/log.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

it('is read again when it changes, and lets nothing in but a ping while it can not be used', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'job-policy.yaml');
  const section = { allow: ['uname'], shell: false, maxOutputBytes: 1, maxConcurrent: 1, timeoutSeconds: 1 };
  const source = new PolicySource({ path, section, logger: createLog({ name: 'agent', level: 'silent' }) });
  const says = (program: string) => source.current().objection({ kind: 'command', argv: [program] }, 'local:0');
  expect([says('uname'), says('df')]).toEqual([undefined, expect.stringContaining('jobs.allow')]);
  await writeFile(path, 'rules:\n  - { name: disks, commands: [df] }\n', { mode: 0o644 });
  expect([says('uname'), says('df')]).toEqual([expect.stringContaining('no rule'), undefined]);
  await writeFile(path, 'rules:\n  - { name: disks, commands: df }\n');
  expect(says('df')).toContain("job-policy.yaml can't be used, so that nothing is taken but a ping: 2:");
  expect(says('df')).toContain('rules[0].commands');
  expect(source.current().objection({ kind: 'refresh' }, 'local:0')).toBeDefined();
  expect(source.current().objection({ kind: 'ping' }, 'local:0')).toBeUndefined();
  await writeFile(path, 'rules:\n  - { name: everything }\n');
  expect(says('df')).toBeUndefined();
  await chmod(path, 0o666);
  expect(says('df')).toContain('others than its owner can write it');
  await rm(path);
  expect(says('df')).toContain('jobs.allow');
});
