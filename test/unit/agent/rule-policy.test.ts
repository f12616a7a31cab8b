import { describe, expect, it } from 'vitest';
import { rulePolicy } from '../../../src/agent/executor/rule-policy.ts';
import { parsePolicyFile } from '../../../src/config/job-policy-file.ts';
import type { JobAction } from '../../../src/protocol/job-action.ts';

const section = { maxOutputBytes: 1_000, maxConcurrent: 4, timeoutSeconds: 60 };
const content = { sha256: 'a'.repeat(64), sizeBytes: 1 };
const policyOf = (text: string) => rulePolicy(parsePolicyFile(text, 'job-policy.yaml'), 'job-policy.yaml', section);
const command = (...argv: string[]): JobAction => ({ kind: 'command', argv });

const example = policyOf(`
rules:
  - { name: no fleet reboots, refuse: true, kinds: [reboot], operators: ['local:*'] }
  - name: diagnosis
    commands: [uptime, [df, '-h', '*'], [journalctl, '-u', '**']]
  - { name: anna, operators: ['operator:anna'], kinds: [reboot, restart, script], services: ['modem*'], scripts: [${content.sha256}] }
  - { name: files, paths: ['/etc/app/*.conf', '/var/log/**'], kinds: [get] }
  - { name: shells, shell: true, kinds: [command], operators: ['operator:root'] }
limits: { timeoutSeconds: 5 }
`);
const allows = (action: JobAction, by = 'operator:bob') => example.objection(action, by) === undefined;

describe("the rules of a device's owner", () => {
  it('let in what a rule speaks of, by kind, command, place, service, script and operator', () => {
    expect(allows(command('uptime', '-p'))).toBe(true);
    expect(allows(command('df', '-h', '/'))).toBe(true);
    expect(allows(command('df', '-h'))).toBe(false);
    expect(allows(command('df', '-h', '/', '/x'))).toBe(false);
    expect(allows(command('journalctl', '-u', 'modem', '-n', '5'))).toBe(true);
    expect(allows(command('rm', '-rf', '/'))).toBe(false);
    expect(allows({ kind: 'reboot' })).toBe(false);
    expect(allows({ kind: 'reboot' }, 'operator:anna')).toBe(true);
    expect(allows({ kind: 'restart', service: 'modem-2' }, 'operator:anna')).toBe(true);
    expect(allows({ kind: 'restart', service: 'sshd' }, 'operator:anna')).toBe(false);
    expect(allows({ kind: 'script', name: 's', content, args: [] }, 'operator:anna')).toBe(true);
    const other = { ...content, sha256: 'b'.repeat(64) };
    expect(allows({ kind: 'script', name: 's', content: other, args: [] }, 'operator:anna')).toBe(false);
    const get = (path: string): JobAction => ({ kind: 'get', path, maxBytes: 1 });
    expect(allows(get('/etc/app/a.conf'))).toBe(true);
    expect(allows(get('/etc/app/sub/a.conf'))).toBe(false);
    expect(allows(get('/var/log/sub/modem.log'))).toBe(true);
    expect(allows(get('/var/log/../../etc/shadow'))).toBe(false);
    expect(allows(get('/var/logs/x'))).toBe(false);
    expect(allows({ kind: 'put', path: '/etc/app/a.conf', content })).toBe(false);
    expect(allows({ kind: 'ping' })).toBe(true);
    expect(allows({ kind: 'refresh' })).toBe(true);
  });

  it('let a shell in by a rule that says so, and nothing around by dots', () => {
    const shell: JobAction = { kind: 'command', argv: ['uptime'], shell: true };
    expect(allows(shell)).toBe(false);
    expect(allows(shell, 'operator:root')).toBe(true);
    expect(example.objection(command('/usr/bin/../../tmp/evil'), 'operator:root')).toContain('".."');
  });

  it('name the rule that refuses, and say when none allows', () => {
    expect(example.objection({ kind: 'reboot' }, 'local:0')).toBe(
      "rule 'no fleet reboots' of job-policy.yaml refuses reboot for local:0",
    );
    expect(example.objection(command('rm', '-rf', '/'), 'operator:bob')).toBe(
      'no rule of job-policy.yaml allows rm -rf / for operator:bob',
    );
    expect(example.limits).toEqual({ ...section, timeoutSeconds: 5 });
    expect(policyOf('rules: []').objection(command('true'), 'local:0')).toContain('no rule');
  });

  it.each([
    ['an unknown key', 'rules:\n  - { name: x, command: [df] }\n', 'unknown key rules[0].command'],
    ['a kind that is none', 'rules:\n  - { name: x, kinds: [commands] }\n', 'rules[0].kinds[0] is not valid'],
    ['a limit about no kind', 'rules:\n  - { name: x, kinds: [reboot], paths: [/x] }\n', 'is about no kind'],
    ['no rules', 'limits: {}\n', 'rules is missing'],
  ])('are refused as a whole with %s', (_, text, message) => {
    expect(() => parsePolicyFile(text, 'job-policy.yaml')).toThrow(message);
  });
});
