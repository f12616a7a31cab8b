import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { resolveAction } from '../../../src/cli/policy-action.ts';
import { parseRolloutPolicy } from '../../../src/cli/rollout-policy-file.ts';
import { RolloutActionSchema, RolloutPolicySchema } from '../../../src/client/contract/index.ts';
import { ConfigError } from '../../../src/config/index.ts';

const whole = `
release: harbour-gateway/2.0.0
selector: G@site:harbour
exclude: I@ring:lab
phases:
  - name: canary
    size: 1
    selector: I@ring:canary
    soak: 30m
    gate: { success: 100%, failure: 0, minSample: 1, approval: admin }
  - size: 25%
  - size: rest
maxFailures: 3
maxFailureShare: 5%
minSample: 20
maxInFlight: 50
maxInFlightPer: { place: G@site, count: 2 }
perMinute: 20
ramp: { from: 1, factor: 2, successes: 10 }
retry: { perDevice: 2, perPhase: 10, backoff: 10m }
timers: { downloading: 4h, testing: 1800 }
deadline: 2d
windows:
  offer: [{ cron: '0 1 * * *', duration: 4h, zone: Europe/Berlin }]
  install: [{ cron: '0 2 * * *', duration: 2h, zone: device }]
device: { needsApproval: true, maxBytesPerSecond: 65536, deferLimit: 1d }
onFailure: { rollbackTo: harbour-gateway/1.9.0 }
supersede: queue
priority: 10
`;

function problems(source: string): string[] {
  try {
    parseRolloutPolicy(source, 'policy.yaml');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ key, line, message }) => `${line} ${key}: ${message}`);
  }
  return [];
}

const small = 'release: p/1.0.0\nselector: "*"\n';

describe('a policy file', () => {
  it('becomes the request of the API, with seconds and shares as numbers', () => {
    const policy = parseRolloutPolicy(whole, 'policy.yaml');
    expect(Value.Check(RolloutPolicySchema, policy)).toBe(true);
    expect(policy).toMatchObject({
      phases: [
        { name: 'canary', size: '1', soakSeconds: 1800, gate: { success: 1, failure: 0, approval: 'admin' } },
        { size: '25%' },
        { size: 'rest' },
      ],
      maxFailureShare: 0.05,
      retry: { perDevice: 2, perPhase: 10, backoffSeconds: 600 },
      timers: { downloading: 14_400, testing: 1800 },
      deadlineSeconds: 172_800,
      windows: { offer: [{ cron: '0 1 * * *', durationSeconds: 14_400, zone: 'Europe/Berlin' }] },
      device: { needsApproval: true, deferLimitSeconds: 86_400 },
      onFailure: { rollbackTo: 'harbour-gateway/1.9.0' },
    });
    expect(parseRolloutPolicy(small, 'policy.yaml')).toEqual({ release: 'p/1.0.0', selector: '*' });
  });

  it('says everything that is wrong at once, each with its line and what would be right', () => {
    const source = `${small}phasis: []\nphases:\n  - size: 5x\n    gate: { succes: 90%, approval: boss }\nmaxFailureShare: 200%\nonFailure: explode\n`;
    expect(problems(source)).toEqual([
      '3 phasis: unknown key phasis',
      '5 phases[0].size: phases[0].size is not valid',
      '6 phases[0].gate.succes: unknown key phases[0].gate.succes',
      '6 phases[0].gate.approval: phases[0].gate.approval is not valid',
      '7 maxFailureShare: maxFailureShare is not valid',
      '8 onFailure: onFailure is not valid',
    ]);
  });

  it.each([
    ['selector: "*"\n', '1 : a policy has a release, or an action instead'],
    [`${small}action: { kind: certificate }`, '1 : a policy has a release, or an action instead'],
    ['selector: "*"\naction: { kind: certificat }', '2 action.kind: action.kind is not valid'],
    ['selector: "*"\naction: { kind: config, name: app }', '2 action: action is not valid'],
    ['selector: "*"\naction: { kind: command, run: [a], shell: b }', '2 action: action is not valid'],
    ['selector: "*"\naction: { kind: put, file: a, to: etc/motd }', '2 action.to: action.to is not valid'],
    ['release: p/1\nselector: gw and\n', '2 selector: selector: '],
    [`${small}windows: { offer: [{ cron: '61 * * * *', duration: 1h, zone: UTC }] }`, '3 windows.offer[0]'],
    [`${small}windows: { offer: [{ cron: '0 * * * *', duration: 1h, zone: Mars/Olympus }] }`, '3 windows.offer[0]'],
    [`${small}windows: { offer: [{ cron: '0 * * * *', duration: 5s, zone: UTC }] }`, '3 windows.offer[0].duration'],
    [`${small}deadline: soon`, '3 deadline: deadline is not valid'],
    [`${small}maxInFlightPer: { place: site, count: 2 }`, '3 maxInFlightPer.place: maxInFlightPer.place is not valid'],
    [`${small}phases: [{ size: 0 }]`, '3 phases[0].size: phases[0].size is not valid'],
    [`${small}phases: [{ size: 101% }]`, '3 phases[0].size: phases[0].size is not valid'],
  ])('refuses %j', (source, expected) => {
    expect(problems(source)).toEqual([expect.stringContaining(expected)]);
  });
});

describe('the action of a policy file', () => {
  const resolved = async (written: string) => {
    const { action } = parseRolloutPolicy(`selector: '*'\naction: ${written}\n`, 'policy.yaml');
    const taken: string[] = [];
    const take = async (path: string) => {
      taken.push(path);
      return { sha256: '0'.repeat(64), sizeBytes: 3 };
    };
    const done = await resolveAction(action!, '/policies/policy.yaml', take);
    expect(Value.Check(RolloutActionSchema, done)).toBe(true);
    return { done, taken };
  };

  it.each([
    ['{ kind: certificate }', { kind: 'certificate' }],
    [
      '{ kind: agent-update, release: flotilla-agent/2.0.0 }',
      { kind: 'agent-update', release: 'flotilla-agent/2.0.0' },
    ],
    [
      '{ kind: config, name: app, document: { a: [1, x] } }',
      { kind: 'config', name: 'app', document: { a: [1, 'x'] } },
    ],
    [
      '{ kind: command, run: [systemctl, restart, meter], timeout: 1m }',
      { kind: 'job', job: { kind: 'command', argv: ['systemctl', 'restart', 'meter'] }, timeoutSeconds: 60 },
    ],
    [
      "{ kind: command, shell: 'df -h | tail -1' }",
      { kind: 'job', job: { kind: 'command', argv: ['df -h | tail -1'], shell: true } },
    ],
    ['{ kind: restart, service: meter }', { kind: 'job', job: { kind: 'restart', service: 'meter' } }],
    ['{ kind: reboot }', { kind: 'job', job: { kind: 'reboot' } }],
  ])('%s', async (written, expected) => {
    expect((await resolved(written)).done).toEqual(expected);
  });

  it('names its files as seen from the policy', async () => {
    const script = await resolved('{ kind: script, file: bin/fix.sh, args: [--fast] }');
    expect(script.taken).toEqual(['/policies/bin/fix.sh']);
    expect(script.done).toMatchObject({ job: { kind: 'script', name: 'fix.sh', args: ['--fast'] } });
    const put = await resolved("{ kind: put, file: /tmp/motd, to: /etc/motd, mode: '644' }");
    expect(put.taken).toEqual(['/tmp/motd']);
    expect(put.done).toMatchObject({ job: { kind: 'put', path: '/etc/motd', mode: '644' } });
  });
});
