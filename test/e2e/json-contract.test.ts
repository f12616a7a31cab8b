/**
 * Every command with --json, in a success and in a failure: stdout is one JSON document (or NDJSON where it streams)
 * and nothing else, and the exit code is the one that scripts are promised. A new command without a case fails here.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flotilla, launcher, start } from '../support/cli.ts';
import { loadCommands } from '../support/command-list.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, enrollmentConfig, type TestFleet } from '../support/fleet.ts';
import { sample } from '../support/sample.ts';
import { receiptFrom } from '../support/sign-receipt.ts';

interface Case {
  /** Arguments behind the command's name; undefined says why there is none in `missing`. */
  ok?: () => string[];
  fails: () => string[];
  /** Of the failure. */
  exitCode: number;
  /** NDJSON: with `until`, the stream is endless and is left by SIGINT once a row like this has come. */
  until?: (row: Record<string, unknown>) => boolean;
  missing?: string;
}

let fleet: TestFleet;
let tokenId = '';
let finishedJob = '';
let failedJob = '';
let openJob = '';
const rollouts: Record<string, string> = {};
const inFleet = (...path: string[]) => join(fleet.dir, ...path);
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const contextAdd = (name: string) => {
  const files = ['--ca', inFleet('pki', 'authority.crt'), '--cert', inFleet('pki', 'operator-admin.crt')];
  return [name, '--host', 'localhost', '--port', '7444', ...files, '--key', inFleet('pki', 'operator-admin.key')];
};
const malformed = 'gw and';
const nobody = 'no-such-device';

const cases: Record<string, Case> = {
  init: {
    ok: () => [scratch('another'), '--no-passphrase', '--port', '0'],
    fails: () => [fleet.dir, '--no-passphrase'],
    exitCode: 6,
  },
  doctor: { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 4 },
  demo: { missing: 'it takes a minute: test/e2e/demo.test.ts', fails: () => ['--devices', '0'], exitCode: 2 },
  why: { ok: () => ['d-1'], fails: () => ['d-1', '--rollout', 'r-nothing'], exitCode: 2 },
  run: { ok: () => ['d-1', '--', 'true'], fails: () => [malformed, '--', 'true'], exitCode: 2 },
  ping: { ok: () => ['d-1'], fails: () => [malformed], exitCode: 2 },
  reboot: { ok: () => ['d-1', '--dry-run'], fails: () => [nobody, '--dry-run'], exitCode: 3 },
  'service restart': { ok: () => ['d-1', 'modem', '--dry-run'], fails: () => [nobody, 'modem'], exitCode: 3 },
  'device refresh': { ok: () => ['d-1'], fails: () => [malformed], exitCode: 2 },
  'file put': {
    ok: () => ['d-1', inFleet('coordinator.yaml'), scratch('put.yaml')],
    fails: () => ['d-1', scratch('no-such-file'), scratch('put.yaml')],
    exitCode: 2,
  },
  'file get': {
    ok: () => ['d-1', '/etc/passwd', '--output', scratch('got')],
    fails: () => [malformed, '/etc/passwd', '--output', scratch('got')],
    exitCode: 2,
  },

  'audit show': { ok: () => ['--limit', '3'], fails: () => ['999999'], exitCode: 2 },
  'audit head': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'audit verify': { ok: () => [], fails: () => ['--head', 'the last one'], exitCode: 2 },
  'audit export': { ok: () => [], fails: () => ['--from', '999999'], exitCode: 2 },

  'agent init': {
    ok: () => [scratch('agent-ok'), '--id', 'a-1', '--coordinator', '127.0.0.1:7443'],
    fails: () => [scratch('agent-bad'), '--id', 'No Such Id', '--coordinator', '127.0.0.1:7443'],
    exitCode: 2,
  },
  'agent enroll': {
    ok: () => [scratch('enrolled'), '--id', 'e-1', '--token-file', scratch('e.token')],
    fails: () => [scratch('not-enrolled'), '--id', 'e-2', '--token-file', inFleet('coordinator.yaml')],
    exitCode: 6, // the file is readable by others
  },
  'agent publish': {
    ok: () => ['meter.Reading', 'm-1', '{"v":1}', '--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['meter.Reading', 'm-1', '{"v":', '--config', scratch('d-1', 'agent.yaml')],
    exitCode: 2,
  },
  'agent status': {
    ok: () => ['--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['--socket', scratch('no.sock')],
    exitCode: 7,
  },
  'agent update status': {
    ok: () => ['--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['--socket', scratch('no.sock')],
    exitCode: 7,
  },
  'agent update history': {
    ok: () => ['--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['--socket', scratch('no.sock')],
    exitCode: 7,
  },
  'agent update install': {
    missing: 'test/e2e/install-file.test.ts',
    fails: () => [scratch('tiny.fw'), '--config', scratch('d-1', 'agent.yaml')],
    exitCode: 6,
  },
  'agent receipt': {
    ok: () => ['--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['--socket', scratch('no.sock')],
    exitCode: 7,
  },
  'agent update approve': {
    missing: 'test/e2e/update-device.test.ts',
    fails: () => ['--config', scratch('d-1', 'agent.yaml')],
    exitCode: 6,
  },
  'agent update reject': {
    missing: 'test/e2e/update-device.test.ts',
    fails: () => ['--reason', 'no', '--config', scratch('d-1', 'agent.yaml')],
    exitCode: 6,
  },
  'agent update defer': {
    missing: 'test/e2e/update-device.test.ts',
    fails: () => ['1h', '--config', scratch('d-1', 'agent.yaml')],
    exitCode: 6,
  },
  'agent install': {
    ok: () => ['--config', scratch('d-1', 'agent.yaml'), '--init', 'systemd', '--dry-run'],
    fails: () => ['--config', scratch('no-agent.yaml'), '--init', 'systemd'],
    exitCode: 2,
  },
  'agent uninstall': {
    ok: () => ['--init', 'systemd', '--dry-run'],
    fails: () => ['--init', 'systemd', '--purge'],
    exitCode: 6,
  },
  'agent diagnose': {
    ok: () => ['--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['--config', scratch('no-agent.yaml')],
    exitCode: 4,
  },
  'agent allow-bundle': {
    ok: () => ['7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11', '--config', scratch('d-1', 'agent.yaml')],
    fails: () => ['7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11', '--config', scratch('no-agent.yaml')],
    exitCode: 2,
  },
  'agent bundle': {
    ok: () => ['-o', scratch('flotilla-agent.fw')],
    fails: () => ['-o', scratch('other-agent.fw'), '--key', scratch('no.priv')],
    exitCode: 2,
  },
  'agent reset-time': {
    missing: 'test/e2e/clock.test.ts',
    fails: () => [scratch('tiny.conf'), '--config', scratch('d-1', 'agent.yaml')],
    exitCode: 2,
  },
  'ca sign-time-reset': {
    ok: () => ['--device', 'd-1', '--out', scratch('d-1.reset')],
    fails: () => ['--device', 'd-1', '--out', scratch('tiny.conf')],
    exitCode: 6,
  },
  'device replace': { ok: () => ['x-7', 'x-8', '--dry-run'], fails: () => ['x-7', 'x-8'], exitCode: 6 },
  'device history': { ok: () => ['d-1'], fails: () => ['d-1', '--limit', '0'], exitCode: 2 },
  'device receipt': { ok: () => [scratch('receipt.json')], fails: () => [scratch('tiny.conf')], exitCode: 2 },
  'device reset-time': { missing: 'test/e2e/clock.test.ts', fails: () => [scratch('tiny.conf')], exitCode: 2 },
  'agent run': { missing: 'it never ends', fails: () => ['--config', scratch('no-agent.yaml')], exitCode: 2 },

  'ca show': { ok: () => [], fails: () => ['nobody'], exitCode: 2 },
  'ca list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'ca export-root': {
    ok: () => ['--out', scratch('root.export'), '--passphrase-file', scratch('root.pass')],
    fails: () => ['--out', scratch('other.export'), '--passphrase-file', scratch('tiny.conf')],
    exitCode: 6,
  },
  'ca detach': {
    missing: 'test/e2e/ca.test.ts: the cases below need the root',
    fails: () => ['--out', scratch('detached.export'), '--passphrase-file', scratch('root.pass')],
    exitCode: 6,
  },
  'ca attach': { missing: 'test/e2e/ca.test.ts', fails: () => [scratch('tiny.conf')], exitCode: 6 },
  'ca rotate': { ok: () => ['--overlap', '1d'], fails: () => ['--certificate', scratch('tiny.conf')], exitCode: 6 },
  'ca sign-issuing': { missing: 'test/e2e/ca.test.ts', fails: () => [scratch('tiny.conf')], exitCode: 2 },
  'ca retire': { missing: 'test/e2e/ca.test.ts', fails: () => ['issuing-1'], exitCode: 6 },
  'ca renew-coordinator': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'ca register': { ok: () => ['--challenge'], fails: () => [], exitCode: 2 },
  'ca remove': { missing: 'test/e2e/ca.test.ts', fails: () => ['nobody', '--yes'], exitCode: 2 },

  'cert issue': {
    ok: () => ['c-1', '--out', scratch('c-1')],
    fails: () => ['x-1', '--out', scratch('x-1')],
    exitCode: 6,
  },
  'cert sign': {
    ok: () => [scratch('csr', 'device.csr'), '--out', scratch('csr', 'device.crt')],
    fails: () => [scratch('tiny.conf')],
    exitCode: 2,
  },
  'cert inspect': { ok: () => [inFleet('pki', 'authority.crt')], fails: () => [scratch('tiny.conf')], exitCode: 2 },
  'cert lint': { ok: () => [inFleet('pki', 'authority.crt')], fails: () => [scratch('nowhere.crt')], exitCode: 2 },
  'cert verify': {
    ok: () => [inFleet('pki', 'coordinator.crt'), '--ca', inFleet('pki', 'authority.crt'), '--purpose', 'coordinator'],
    fails: () => [inFleet('pki', 'coordinator.crt'), '--ca', scratch('tiny.conf')],
    exitCode: 2,
  },
  'cert crl': {
    ok: () => ['--out', scratch('fleet.crl')],
    fails: () => ['--fleet-dir', scratch('stopped')],
    exitCode: 7,
  },
  'cert export': {
    ok: () => [
      inFleet('pki', 'coordinator.crt'), '--key', inFleet('pki', 'coordinator.key'), '--out', scratch('ok.p12'),
      '--passphrase-file', scratch('p12.pass'),
    ],
    fails: () => [inFleet('pki', 'coordinator.crt'), '--key', inFleet('pki', 'root.key'), '--out', scratch('bad.p12')],
    exitCode: 2,
  }, // prettier-ignore
  'cert import': {
    ok: () => [scratch('own.p12'), '--out', scratch('imported'), '--passphrase-file', scratch('p12.pass')],
    fails: () => [scratch('tiny.conf'), '--out', scratch('never'), '--passphrase-file', scratch('p12.pass')],
    exitCode: 2,
  },
  'cert list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'cert show': { ok: () => [inFleet('pki', 'root.crt')], fails: () => [scratch('tiny.conf')], exitCode: 2 },
  'cert renew': { ok: () => ['d-1'], fails: () => [malformed], exitCode: 2 },
  'cert renewals': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'cert revoke': {
    ok: () => ['x-5', '--reason', 'test', '--yes'],
    fails: () => ['x-1', '--reason', 'not confirmed'],
    exitCode: 6,
  },

  'enroll token add': {
    ok: () => ['--expires', '1h', '--uses', '3', '--out', scratch('made.token')],
    fails: () => ['--expires', 'soon'],
    exitCode: 2,
  },
  'provision ssh': {
    missing: 'it needs a host: test/e2e/provision.test.ts',
    fails: () => ['127.0.0.1:1', '--id', 'h-1', '--coordinator', 'localhost', '--manifest', scratch('fleet.csv')],
    exitCode: 2,
  },
  'provision verify': {
    missing: 'it needs a host: test/e2e/provision.test.ts',
    fails: () => ['10.0.0.1', '--coordinator', 'localhost'],
    exitCode: 2,
  },
  'provision remove': {
    missing: 'it needs a host: test/e2e/provision.test.ts',
    fails: () => ['h-1', 'h-1'],
    exitCode: 2,
  },
  'enroll token list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'enroll token revoke': { ok: () => [tokenId], fails: () => ['t-nothing'], exitCode: 2 },
  'enroll manifest import': {
    ok: () => [scratch('fleet.csv')],
    fails: () => [scratch('tiny.conf')],
    exitCode: 2,
  },
  'enroll manifest list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'enroll manifest remove': { ok: () => ['m-1'], fails: () => ['m-nothing'], exitCode: 2 },

  'context add': {
    ok: () => contextAdd('new'),
    fails: () => contextAdd('here'),
    exitCode: 6,
  },
  'context list': { ok: () => [], fails: () => ['extra'], exitCode: 2 },
  'context use': { ok: () => ['here'], fails: () => ['nowhere'], exitCode: 2 },
  'context show': { ok: () => ['here'], fails: () => ['nowhere'], exitCode: 2 },
  'context remove': { ok: () => ['gone'], fails: () => ['nowhere'], exitCode: 2 },

  'coordinator openapi': {
    missing: 'its document describes errors: operator-role.test.ts',
    fails: () => ['extra'],
    exitCode: 2,
  },
  'coordinator status': { ok: () => [], fails: () => ['--fleet-dir', scratch('stopped')], exitCode: 7 },
  'coordinator start': { missing: 'see below', fails: () => ['--detach'], exitCode: 6 },
  'coordinator stop': { missing: 'see below', fails: () => ['--fleet-dir', scratch('stopped')], exitCode: 7 },

  'device list': { ok: () => [], fails: () => [malformed], exitCode: 2 },
  'device show': { ok: () => ['d-1'], fails: () => [nobody], exitCode: 2 },
  'device watch': { ok: () => [], until: ({ kind }) => kind === 'synced', fails: () => [malformed], exitCode: 2 },
  'device accept': { ok: () => ['p-1'], fails: () => [malformed], exitCode: 2 },
  'device reject': { ok: () => ['x-6'], fails: () => [malformed], exitCode: 2 },
  'device allow-bundle': {
    ok: () => ['x-6', '7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11'],
    fails: () => ['x-6', 'no-bundle'],
    exitCode: 2,
  },
  'device update-agent': {
    missing: 'test/integration/coordinator/agent-update.test.ts',
    fails: () => ['x-6', 'no/release'],
    exitCode: 2,
  },
  'device quarantine': {
    ok: () => ['x-6', '--reason', 'test'],
    fails: () => [malformed, '--reason', 'x'],
    exitCode: 2,
  },
  'device tag': { ok: () => ['d-1', 'ring=canary'], fails: () => ['d-1', 'Ring'], exitCode: 2 },
  'device send': {
    ok: () => ['d-1', 'valve.Close', 'v-1', '{"slow":true}', '--expires', '1h'],
    fails: () => ['d-1', 'valve.Close', 'v-1', '{"slow"'],
    exitCode: 2,
  },
  'device remove': { ok: () => ['x-4', '--yes'], fails: () => ['d-1'], exitCode: 6 },

  'device config set': {
    ok: () => ['d-1', 'limits', scratch('limits.yaml')],
    fails: () => [nobody, 'limits', scratch('limits.yaml')],
    exitCode: 3,
  },
  'device config push': {
    ok: () => ['d-1', 'limits', scratch('limits.yaml'), '--dry-run'],
    fails: () => [nobody, 'limits', scratch('limits.yaml')],
    exitCode: 3,
  },
  'device config get': { ok: () => ['d-1'], fails: () => [nobody], exitCode: 2 },
  'device config diff': { ok: () => ['x-1', 'limits'], fails: () => ['x-1', 'nothing'], exitCode: 2 },
  'device config resolve': {
    ok: () => ['x-1', 'limits', '--take', 'desired'],
    fails: () => ['x-1', 'limits', '--take', 'reported'],
    exitCode: 2,
  },

  'event schema register': {
    ok: () => [scratch('reading.avsc')],
    fails: () => [scratch('worse.avsc')],
    exitCode: 6,
  },
  'event schema check': {
    ok: () => [scratch('reading.avsc')],
    fails: () => [scratch('limits.yaml')],
    exitCode: 2,
  },
  'event schema list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'event schema show': { ok: () => ['meter.Reading'], fails: () => ['meter.Nothing'], exitCode: 2 },
  'deadletter list': { ok: () => [], fails: () => ['--device', malformed], exitCode: 2 },
  'deadletter show': { missing: 'see event-log.test.ts', fails: () => ['999'], exitCode: 2 },
  'deadletter replay': { missing: 'see event-log.test.ts', fails: () => ['--all'], exitCode: 3 },
  'deadletter discard': {
    missing: 'test/integration/coordinator/dead-letter.test.ts',
    fails: () => ['--all', '--note', 'x'],
    exitCode: 3,
  },
  'event consumer list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'event consumer remove': { ok: () => ['c-1', '--yes'], fails: () => ['c-2'], exitCode: 6 },
  'event consumer reset': { ok: () => ['c-3', '--from', '1', '--yes'], fails: () => ['c-2'], exitCode: 2 },
  'event export': {
    missing: 'its summary is on stderr: event-log.test.ts',
    fails: () => ['--selector', malformed],
    exitCode: 2,
  },
  'event handle': {
    ok: () => ['h-1', '--type', 'coordinator.pending', '--once', '--', 'cat'],
    fails: () => ['h-2'],
    exitCode: 2,
  },
  'event redact': {
    ok: () => ['3', '--reason', 'test', '--yes'],
    fails: () => ['4', '--reason', 'not confirmed'],
    exitCode: 6,
  },
  'event tail': {
    ok: () => ['--from', '1', '--follow'],
    until: ({ offset }) => offset === 3,
    fails: () => ['--selector', malformed],
    exitCode: 2,
  },

  'firmware keygen': { ok: () => [scratch('key-new')], fails: () => [scratch('key')], exitCode: 6 },
  'firmware build': {
    ok: () => ['-f', scratch('tiny.conf'), '-o', scratch('built.fw'), '--unsigned'],
    fails: () => ['-f', scratch('broken.conf'), '-o', scratch('broken.fw'), '--unsigned'],
    exitCode: 2,
  },
  'firmware sign': {
    ok: () => [scratch('tiny.fw'), '-o', scratch('signed.fw'), '--key', scratch('key.priv')],
    fails: () => [scratch('tiny.conf'), '-o', scratch('not-signed.fw'), '--key', scratch('key.priv')],
    exitCode: 6,
  },
  'firmware verify': {
    ok: () => [scratch('tiny.fw'), '--key', inFleet('keys', 'firmware.pub')],
    fails: () => [scratch('tiny.fw'), '--key', scratch('key.pub')],
    exitCode: 6,
  },
  'firmware apply': {
    ok: () => [
      scratch('tiny.fw'),
      '-d',
      scratch('tiny.img'),
      '-t',
      'complete',
      '--key',
      inFleet('keys', 'firmware.pub'),
    ],
    fails: () => [scratch('tiny.fw'), '-d', scratch('other.img'), '-t', 'complete', '--key', scratch('key.pub')],
    exitCode: 6,
  },
  'firmware inspect': { ok: () => [scratch('tiny.fw')], fails: () => [scratch('not-a-bundle.fw')], exitCode: 6 },
  'firmware lint': { ok: () => [scratch('tiny.fw')], fails: () => [scratch('nowhere.conf')], exitCode: 2 },
  'firmware diff': {
    ok: () => [scratch('tiny.fw'), scratch('tiny.conf')],
    fails: () => [scratch('tiny.fw'), scratch('nowhere.conf')],
    exitCode: 2,
  },
  'firmware delta': {
    missing: 'test/integration/firmware/delta-bundle.test.ts',
    fails: () => [scratch('tiny.fw'), scratch('tiny.fw'), '-o', scratch('delta.fw')],
    exitCode: 6,
  },
  'firmware init': {
    ok: () => [scratch('project'), '--board', 'uboot-ab'],
    fails: () => ['--ci', 'none'],
    exitCode: 2,
  },

  'group add': { ok: () => ['pair', 'd-1 or d-2'], fails: () => ['loop', 'N@loop'], exitCode: 2 },
  'group list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'group show': { ok: () => ['g-1'], fails: () => ['g-9'], exitCode: 2 },
  'group remove': { ok: () => ['g-2', '--yes'], fails: () => ['g-1'], exitCode: 6 },

  'job list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'job show': { ok: () => [finishedJob], fails: () => ['j-nothing'], exitCode: 2 },
  'job wait': { ok: () => [finishedJob], fails: () => ['j-nothing'], exitCode: 2 },
  'job retry': {
    ok: () => [failedJob, '--failed', '--dry-run'],
    fails: () => ['j-nothing', '--failed'],
    exitCode: 2,
  },
  'job diff': { ok: () => [finishedJob], fails: () => ['j-nothing'], exitCode: 2 },
  'job export': { ok: () => [finishedJob], fails: () => ['j-nothing'], exitCode: 2 },
  'job history': { ok: () => ['d-1'], fails: () => ['d-1', '--limit', '0'], exitCode: 2 },
  'job cancel': { ok: () => [openJob], fails: () => ['j-nothing'], exitCode: 2 },

  'schedule add': {
    ok: () => ['nightly', 'd-1', '--cron', '0 3 * * *', '--zone', 'Europe/Berlin', '--', 'true'],
    fails: () => ['nightly', 'd-1', '--cron', '61 * * * *', '--', 'true'],
    exitCode: 2,
  },
  'schedule list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'schedule next': { ok: () => ['kept'], fails: () => ['nothing'], exitCode: 2 },
  'schedule pause': { ok: () => ['kept'], fails: () => ['nothing'], exitCode: 2 },
  'schedule remove': { ok: () => ['nightly', '--yes'], fails: () => ['nothing', '--yes'], exitCode: 2 },
  'schedule resume': { ok: () => ['kept'], fails: () => ['nothing'], exitCode: 2 },
  'schedule show': { ok: () => ['kept'], fails: () => ['nothing'], exitCode: 2 },

  'release publish': {
    ok: () => [scratch('tiny.fw'), '--channel', 'beta'],
    fails: () => [scratch('unsigned.fw')],
    exitCode: 6,
  },
  'operator add': {
    ok: () => ['anna', '--role', 'viewer', '--out', scratch('anna')],
    fails: () => ['bert', '--out', scratch('bert')],
    exitCode: 2,
  },
  'operator list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'operator revoke': {
    ok: () => ['carl', '--reason', 'test', '--yes'],
    fails: () => ['carl', '--reason', 'not confirmed'],
    exitCode: 6,
  },
  'operator whoami': { ok: () => [], fails: () => ['--fleet-dir', scratch('stopped')], exitCode: 7 },

  'release list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'release show': { ok: () => ['tiny/1.0.0/stable'], fails: () => ['tiny/9.9.9/stable'], exitCode: 2 },

  'rollout start': { ok: () => ['tiny/1.0.0', 'x-7'], fails: () => ['tiny/1.0.0', 'G@site:nowhere'], exitCode: 3 },
  'rollout plan': {
    ok: () => ['tiny/1.0.0', 'x-8', '--output', scratch('plan.yaml')],
    fails: () => [scratch('coordinator.yaml'), '--output', scratch('other-plan.yaml')],
    exitCode: 2,
  },
  'rollout apply': { ok: () => [scratch('plan-9.yaml')], fails: () => [scratch('tiny.conf')], exitCode: 2 },
  'rollout approve': {
    missing: 'no phase waits for it here: test/integration/coordinator/rollout-plan.test.ts',
    fails: () => ['r-nothing'],
    exitCode: 2,
  },
  'rollout list': { ok: () => [], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'rollout status': { ok: () => [rollouts['x-1'] ?? ''], fails: () => ['r-nothing'], exitCode: 2 },
  'rollout report': { ok: () => [rollouts['x-1'] ?? ''], fails: () => ['r-nothing'], exitCode: 2 },
  'rollout export': { ok: () => [rollouts['x-1'] ?? ''], fails: () => ['r-nothing'], exitCode: 2 },
  'rollout simulate': { ok: () => ['--devices', '9'], fails: () => ['--devices', '9', '--fail', 'x'], exitCode: 2 },
  'rollout test': { ok: () => [scratch('cases.yaml')], fails: () => [scratch('no-such-file')], exitCode: 2 },
  'rollout pause': { ok: () => [rollouts['x-1'] ?? ''], fails: () => ['r-nothing'], exitCode: 2 },
  'rollout resume': { ok: () => [rollouts['x-2'] ?? ''], fails: () => ['r-nothing'], exitCode: 2 },
  'rollout abort': { ok: () => [rollouts['x-3'] ?? ''], fails: () => ['r-nothing'], exitCode: 2 },

  completion: { ok: () => ['bash'], fails: () => ['tcsh'], exitCode: 2 },
  'select complete': { ok: () => ['N@'], fails: () => ['--fleet-dir', scratch('nowhere')], exitCode: 2 },
  'select count': { ok: () => ['d-*'], fails: () => [malformed], exitCode: 2 },
  'select values': { ok: () => ['G@'], fails: () => ['site'], exitCode: 2 },
  'select match': { ok: () => ['d-*'], fails: () => [malformed], exitCode: 2 },
  'select explain': { ok: () => ['d-*', '--device', 'd-1'], fails: () => ['not G@site'], exitCode: 2 },
};

beforeAll(async () => {
  fleet = await createFleet({ extra: enrollmentConfig });
  await mkdir(scratch('csr'));
  await must(['enroll', 'token', 'add', '--out', scratch('e.token')]);
  tokenId = (await must(['enroll', 'token', 'add', '--uses', '2'])).json().token.id;
  await writeFile(scratch('root.pass'), 'correct horse battery\n', { mode: 0o600 });
  await writeFile(scratch('fleet.csv'), 'id,serial\nm-1,S1\n');
  await writeFile(scratch('data.bin'), 'tiny');
  const conf = 'meta-product = "tiny"\nmeta-version = "1.0.0"\nfile-resource data.bin { host-path = "data.bin" }\n';
  await writeFile(scratch('tiny.conf'), `${conf}task complete { on-resource data.bin { raw_write(0) } }\n`);
  await writeFile(scratch('broken.conf'), 'task complete = {\n');
  await writeFile(scratch('not-a-bundle.fw'), 'no archive');

  await writeFile(scratch('limits.yaml'), 'max: 10\n');
  await writeFile(scratch('policy.yaml'), "release: tiny/1.0.0\nselector: '*'\n");
  const head = ['policy: policy.yaml', "fleet: { generate: [{ count: 3, id: 'd-{n}' }] }", 'cases:'];
  await writeFile(
    scratch('cases.yaml'),
    [...head, '  - { name: good, expect: { outcome: completed } }', ''].join('\n'),
  );
  const field = { name: 'volts', type: 'double', unit: 'V' };
  const reading = (unit: string) =>
    JSON.stringify({ type: 'record', name: 'meter.Reading', fields: [{ ...field, unit }] });
  await writeFile(scratch('reading.avsc'), reading('V'));
  await writeFile(scratch('worse.avsc'), reading('mV'));

  await must(['operator', 'add', 'carl', '--role', 'viewer', '--token', '--expires', '1h']);
  for (const name of ['g-1', 'g-2']) await must(['group', 'add', name, 'd-*']);
  for (const name of ['here', 'gone']) await must(['context', 'add', ...contextAdd(name)]);
  await writeFile(scratch('p12.pass'), 'correct horse battery\n', { mode: 0o600 });
  const own = [inFleet('pki', 'coordinator.crt'), '--key', inFleet('pki', 'coordinator.key')];
  await must(['cert', 'export', ...own, '--out', scratch('own.p12'), '--passphrase-file', scratch('p12.pass')]);
  await must(['init', scratch('stopped'), '--no-passphrase', '--port', '0']);
  await must(['agent', 'init', scratch('csr'), '--id', 's-1', '--coordinator', '127.0.0.1:7443']);
  for (const id of ['x-1', 'x-2', 'x-3', 'x-4', 'x-5', 'x-6', 'x-7', 'x-8', 'x-9'])
    await must(['cert', 'issue', id, '--out', scratch(id)]);
  await writeFile(scratch('receipt.json'), JSON.stringify(await receiptFrom(scratch('x-2'))));
  await must(['cert', 'issue', 'p-1', '--out', scratch('p-1'), '--pending']);
  await must(['firmware', 'keygen', scratch('key')]);
  const build = ['firmware', 'build', '-f', scratch('tiny.conf')];
  await must([...build, '-o', scratch('tiny.fw'), '--key', inFleet('keys', 'firmware.priv')]);
  await must([...build, '-o', scratch('unsigned.fw'), '--unsigned']);
  await must(['release', 'publish', scratch('tiny.fw')]);

  await fleet.addAgent('d-1');
  await fleet.connected('d-1');
  finishedJob = last(await must(['run', 'd-1', '--', 'true'])).job.id;
  failedJob = last(await fleet.cli(['run', 'd-1', '--json', '--', 'false'])).job.id;
  openJob = last(await must(['run', 'x-1', '--detach', '--', 'true'])).job.id;
  await must(['schedule', 'add', 'kept', 'x-1', '--cron', '0 3 * * *', '--', 'true']);
  for (const id of ['x-1', 'x-2', 'x-3']) rollouts[id] = (await must(['rollout', 'start', 'tiny/1.0.0', id])).json().id;
  await must(['rollout', 'pause', rollouts['x-2'] ?? '']);
  await must(['rollout', 'plan', 'tiny/1.0.0', 'x-9', '--output', scratch('plan-9.yaml')]);
  await must(['event', 'schema', 'register', scratch('reading.avsc')]);
  await must(['device', 'config', 'set', 'x-1', 'limits', scratch('limits.yaml')]);
  for (const name of ['c-1', 'c-2', 'c-3']) await must(['event', 'tail', '--consumer', name, '--limit', '1']);
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

const commands = (await loadCommands()).map(({ name, command }) => ({
  name,
  words: name.split(' '),
  streams: command.streams ?? false,
  one: cases[name],
}));

describe('every command', () => {
  it('has a case here', () => {
    expect(Object.keys(cases).toSorted()).toEqual(commands.map(({ name }) => name).toSorted());
  });

  const ending = commands.filter(({ one }) => one?.ok !== undefined && one.until === undefined);
  it.each(ending)('$name --json writes nothing but its data when it succeeds', async ({ words, streams, one }) => {
    const ran = await fleet.cli([...words, ...withJson(one?.ok?.() ?? [])]);
    expect(ran.stdout + ran.stderr).not.toContain('"error"');
    expect(ran.exitCode).toBe(0);
    expect(documents(ran.stdout, streams)).toBeGreaterThan(0);
  });

  const endless = commands.filter(({ one }) => one?.until !== undefined);
  it.each(endless)('$name --json streams one document a line until it is left', async ({ words, one }) => {
    const child = start([...words, ...withJson(one?.ok?.() ?? [])], { env: { FLOTILLA_FLEET_DIR: fleet.dir } });
    let count = 0;
    for await (const line of child) {
      count += 1;
      if (one?.until?.(JSON.parse(line))) child.kill('SIGINT');
    }
    expect((await child).exitCode).toBe(130);
    expect(count).toBeGreaterThan(0);
  });

  it.each(sample(commands, 3))(
    '$name --json writes nothing but its error when it fails',
    async ({ name, words, one }) => {
      const ran = await fleet.cli([...words, ...withJson(one?.fails() ?? [])]);
      expect([ran.exitCode, ran.stdout]).toEqual([one?.exitCode, expect.stringMatching(/^\{.*\}$/)]);
      // What doctor finds is its data; only looking itself can't fail.
      if (name === 'doctor' || name === 'agent diagnose') return expect(ran.json().ok).toBe(false);
      const { error, ...rest } = ran.json();
      expect(rest).toEqual({});
      expect(error).toMatchObject({ code: expect.any(String), fault: expect.any(String), message: expect.any(String) });
    },
  );
});

describe('flotilla --json', () => {
  it.each([
    ['an unknown command', ['device', 'lost', '--json']],
    ['half a command', ['device', '--json']],
    ['an unknown flag', ['device', 'list', '--jsn', '--json']],
    ['a missing argument', ['device', 'show', '--json']],
    ['too many arguments', ['job', 'list', 'all', '--json']],
  ])('answers %s with one document and exit code 2', async (_, args) => {
    const ran = await flotilla(args);
    expect([ran.exitCode, ran.stderr]).toEqual([2, '']);
    expect(ran.json().error.fault).toBe('usage');
  });

  it('stops a coordinator, whose process is gone, and starts it again', async () => {
    const before = (await fleet.cli(['coordinator', 'status', '--json'])).json();
    const watch = start(['device', 'watch', '--json'], { env: { FLOTILLA_FLEET_DIR: fleet.dir } });
    let seen = '';
    watch.stdout.on('data', (chunk) => (seen += String(chunk)));
    await eventually('the stream has begun', () => seen.includes('"synced"'));
    const stopped = await fleet.cli(['coordinator', 'stop', '--json']);
    expect(stopped.json()).toEqual({ pid: before.pid, tookMs: expect.any(Number) });
    expect(() => process.kill(before.pid, 0)).toThrow('ESRCH');
    // A stream that can't go on says so in its last row.
    const watched = await watch;
    expect(watched.exitCode).toBe(7);
    expect(JSON.parse(watched.stdout.split('\n').at(-1) ?? '')).toMatchObject({ error: { fault: 'unreachable' } });
    await fleet.startCoordinator();
    const after = (await fleet.cli(['coordinator', 'status', '--json'])).json();
    expect(after).toMatchObject({ fleetId: before.fleetId, listen: { port: fleet.port } });
    expect(after.pid).not.toBe(before.pid);
  });

  it('is quiet when the reader goes away', async () => {
    const ends = flotillaInto(['event', 'tail', '--from', '1', '--follow', '--json'], 'head -n 1');
    const over = new AbortController();
    void ends.finally(() => over.abort()).catch(() => undefined);
    // A writer learns that its reader is gone when it writes again: so something has to happen.
    for (let n = 0; !over.signal.aborted && n < 60; n += 1) await must(['device', 'tag', 'd-1', `turn=${n}`]);
    expect(await ends).toEqual({ lines: 1, stderr: '' });
  });
});

/** `--json` stands before a `--`. */
function withJson(args: string[]): string[] {
  const end = args.indexOf('--');
  return end < 0 ? [...args, '--json'] : [...args.slice(0, end), '--json', ...args.slice(end)];
}

/** How many documents stand on stdout; throws when anything else does. */
function documents(stdout: string, streams: boolean): number {
  const lines = stdout.split('\n');
  for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
  if (!streams) expect(lines).toHaveLength(1);
  return lines.length;
}

async function must(args: string[]) {
  const ran = await fleet.cli(withJson(args));
  if (ran.exitCode !== 0)
    throw new Error(`flotilla ${args.join(' ')}: exit ${ran.exitCode}\n${ran.stdout}${ran.stderr}`);
  return ran;
}

const last = (ran: { rows(): { job: { id: string } }[] }) => ran.rows().at(-1) as { job: { id: string } };

/** Through a real pipe of a shell: the way in which EPIPE happens. */
async function flotillaInto(args: string[], reader: string): Promise<{ lines: number; stderr: string }> {
  const ran = await execa('sh', ['-c', `"$@" | ${reader}`, 'sh', process.execPath, launcher, ...args], {
    env: { FLOTILLA_FLEET_DIR: fleet.dir },
    timeout: 30_000,
  });
  return { lines: ran.stdout.split('\n').length, stderr: ran.stderr };
}
