import { describe, expect, it } from 'vitest';
import type { DeviceReport, PowerCut } from '../../../src/demo/demo-report.ts';
import { judge, type Facts } from '../../../src/demo/judge.ts';
import { goodFacts } from '../../support/demo-facts.ts';

const missing = (facts: Facts) => judge(facts).flatMap(({ id, ok }) => (ok ? [] : [id]));
const device = (facts: Facts, wanted: (device: DeviceReport) => boolean): DeviceReport => facts.devices.find(wanted)!;
const main = ({ ring }: DeviceReport) => ring === 'main';
const canary = ({ ring }: DeviceReport) => ring === 'canary';
const cut = (facts: Facts, phase: PowerCut['phase']): PowerCut => facts.cuts.find((each) => each.phase === phase)!;

describe('the judge of the demo', () => {
  it('finds nothing missing where all was seen', () => {
    expect(judge(goodFacts()).filter(({ ok }) => !ok)).toEqual([]);
  });

  const spoiled: [string, (facts: Facts) => void, RegExp][] = [
    ['a device that never connected', (facts) => facts.connected.pop(), /^all-connected$/],
    ['one gateway', (facts) => (facts.gateways = 1), /^all-connected$/],
    ['a command that reached one more', (facts) => facts.selected.pop(), /^command-reaches/],
    ['a command that failed', (facts) => (facts.job!.results![0]!.outcome = 'failed'), /^command-reaches/],
    ['no command at all', (facts) => delete facts.job, /^command-reaches/],
    ['a rollout that is not complete', (facts) => (facts.secondRollout!.state = 'running'), /^second-release/],
    ['an exit code that says otherwise', (facts) => (facts.followExit.second = 5), /^second-release/],
    [
      'a phase that overtook another',
      (facts) => (device(facts, main).second!.evidence!.installedAtMs = 1),
      /^second-release/,
    ],
    ['a device without evidence', (facts) => delete device(facts, main).second!.evidence, /^proven-/],
    [
      'a boot id that the board never had',
      (facts) => (device(facts, main).second!.evidence!.after!.bootId = 'made-up'),
      /^proven-/,
    ],
    [
      'the boot id from before',
      (facts) => (device(facts, main).second!.evidence!.after!.bootId = `${device(facts, main).id}-1`),
      /^proven-/,
    ],
    ['another bundle', (facts) => (device(facts, main).second!.evidence!.after!.bundleUuid = 'x'), /^proven-/],
    [
      'a health check that failed',
      (facts) => (device(facts, main).second!.evidence!.health[1]!.ok = false),
      /^proven-/,
    ],
    [
      'other bytes on the disk',
      (facts) => (device(facts, main).afterSecond!.digests['b']!['2.0.0'] = 'x'),
      /^(proven-|nobody)/,
    ],
    ['a slot still on trial', (facts) => (device(facts, main).afterSecond!.onTrial = true), /^(proven-|nobody)/],
    [
      'a restart too many',
      (facts) => device(facts, main).boots.push(device(facts, main).boots[1]!),
      /^no-needless-restart$/,
    ],
    ['no power cut in the download', (facts) => facts.cuts.shift(), /^both-power-cuts$/],
    ['a download that was complete', (facts) => (cut(facts, 'download').haveBytes = 1000), /^cut-download$/],
    ['a download that had not begun', (facts) => (cut(facts, 'download').haveBytes = 0), /^cut-download$/],
    ['an installation that had not begun', (facts) => (cut(facts, 'install').haveBytes = 0), /^cut-install$/],
    [
      'an installation that was complete',
      (facts) => (cut(facts, 'install').disk.digests['b']!['2.0.0'] = facts.releases[1]!.resources[0]!.blake2b256),
      /^cut-install$/,
    ],
    ['a power cut after the switch', (facts) => (cut(facts, 'install').disk.onTrial = true), /^cut-install$/],
    [
      'a board that came back without a power-on',
      (facts) => (device(facts, ({ cut: at }) => at === 'install').boots[1]!.why = 'watchdog'),
      /^cut-install$/,
    ],
    ['a rollout that went on', (facts) => (facts.thirdRollout!.state = 'running'), /^third-release-halts$/],
    ['a second phase of the bad release', (facts) => (facts.thirdRollout!.currentPhase = 1), /^third-release-halts$/],
    [
      'a canary that kept the bad release',
      (facts) => (device(facts, canary).third!.state = 'committed'),
      /^rolled-back-/,
    ],
    [
      'another health check that failed',
      (facts) => (device(facts, canary).third!.evidence!.health[0]!.ok = false),
      /^rolled-back-/,
    ],
    [
      'a canary that never booted it',
      (facts) => device(facts, canary).boots.splice(2, 1),
      /^(rolled-back-|no-needless)/,
    ],
    ['a canary on the wrong slot', (facts) => (device(facts, canary).atEnd!.activeSlot = 'a'), /^rolled-back-/],
    ['somebody else who got it', (facts) => (device(facts, main).third!.state = 'offered'), /^nobody-else-touched$/],
    [
      'somebody else whose disk changed',
      (facts) => (device(facts, main).atEnd!.uuids['a'] = 'x'),
      /^nobody-else-touched$/,
    ],
    ['somebody else who restarted', (facts) => (device(facts, main).boots[1]!.timeMs = 6000), /^nobody-else-touched$/],
  ];

  it.each(spoiled)('misses something for %s', (_, spoil, expected) => {
    const facts = goodFacts();
    spoil(facts);
    const ids = missing(facts);
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect(id).toMatch(expected);
  });
});
