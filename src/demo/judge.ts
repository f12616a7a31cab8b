/** Every expectation of the demo as an explicit check over what was read from outside. Pure. */
import type { DemoReport, DeviceReport, Check, PowerCut, DiskState } from './demo-report.ts';
import type { Release } from '../client/contract/index.ts';
import { rootfsOf } from './disk-state.ts';

export type Facts = Omit<
  DemoReport,
  'ok' | 'checks' | 'timeline' | 'next' | 'kept' | 'dir' | 'durationMs' | 'commands'
> & {
  gateways: number;
  connected: string[];
  /** The selector of the command, and who it must have reached by the demo's own plan. */
  selector: string;
  selected: string[];
  /** Exit codes of following the two rollouts. */
  followExit: { second?: number; third?: number };
};

const slots = ['a', 'b'] as const;

export function judge(facts: Facts): Check[] {
  return [
    checkConnected(facts),
    checkJob(facts),
    checkSecondRollout(facts),
    ...facts.devices.map((device) => checkProof(device, facts)),
    checkBootCounts(facts),
    ...facts.cuts.map((cut) => checkCut(cut, facts)),
    checkBothCuts(facts),
    checkHalted(facts),
    ...facts.devices.filter(({ ring }) => ring === 'canary').map((device) => checkRolledBack(device, facts)),
    checkUntouched(facts),
  ];
}

function check(id: string, text: string, problems: (string | false | undefined)[], detail: string): Check {
  const found = problems.filter((problem) => typeof problem === 'string');
  return { id, text, ok: found.length === 0, detail: found.length === 0 ? detail : found.join('; ') };
}

function checkConnected({ devices, connected, gateways }: Facts): Check {
  const missing = devices.filter(({ id }) => !connected.includes(id)).map(({ id }) => id);
  return check(
    'all-connected',
    'every device connects with its own certificate, over two gateway processes',
    [missing.length > 0 && `not connected: ${missing.join(', ')}`, gateways !== 2 && `${gateways} gateways`],
    `${connected.length} devices, ${gateways} gateways`,
  );
}

function checkJob({ job, selector, selected }: Facts): Check {
  const results = job?.results ?? [];
  const reached = results.map(({ deviceId }) => deviceId).sort();
  return check(
    'command-reaches-the-selected',
    `${selector} runs on exactly the devices that it means, and succeeds on each`,
    [
      reached.join() !== [...selected].sort().join() && `it ran on ${reached.join(', ') || 'nobody'}`,
      ...results.map(({ deviceId, outcome }) => outcome !== 'succeeded' && `${deviceId}: ${outcome ?? 'no outcome'}`),
      ...results.map(
        ({ deviceId, stdout }) =>
          !stdout?.includes('VERSION_ID=1.0.0') && `${deviceId} printed ${JSON.stringify(stdout)}`,
      ),
    ],
    `${reached.length} of ${reached.length} succeeded`,
  );
}

function checkSecondRollout({ secondRollout, followExit, devices }: Facts): Check {
  return check(
    'second-release-completes',
    'the second release is rolled out to every device, phase by phase',
    [
      secondRollout?.state !== 'completed' && `the rollout is ${secondRollout?.state ?? 'missing'}`,
      followExit.second !== 0 && `following it ended with exit code ${followExit.second}`,
      ...(secondRollout?.phases ?? []).map(
        (phase, index) => phase.state !== 'passed' && `phase ${index + 1} is ${phase.state}`,
      ),
      ...outOfOrder(devices),
    ],
    `${secondRollout?.phases.map(({ size }) => size).join(' + ')} devices`,
  );
}

/** No device of a phase may be installed before all of the phase before were decided. */
function outOfOrder(devices: readonly DeviceReport[]): string[] {
  const phaseOf = (device: DeviceReport): number => device.second?.phase ?? 0;
  return devices.flatMap((device) => {
    const installed = device.second?.evidence?.installedAtMs ?? Number.POSITIVE_INFINITY;
    const earlier = devices.filter((other) => phaseOf(other) < phaseOf(device));
    const late = earlier.filter(
      (other) => (other.second?.evidence?.decidedAtMs ?? Number.POSITIVE_INFINITY) > installed,
    );
    return late.map((other) => `${device.id} was installed before ${other.id} of an earlier phase was proven`);
  });
}

/** The device's word against the board's log and the disk. */
function checkProof(device: DeviceReport, { releases }: Facts): Check {
  const second = releases[1];
  const evidence = device.second?.evidence;
  const after = evidence?.after;
  const boots = device.boots.map(({ bootId }) => bootId);
  const [from, to] = [evidence?.before.slot, after?.slot];
  return check(
    `proven-${device.id}`,
    `${device.id} proves the second release: new boot, other slot, its bundle, its health`,
    second === undefined || evidence === undefined || after === undefined
      ? [`there is no evidence; it is ${device.second?.state ?? 'not in the rollout'}`]
      : [
          device.second?.state !== 'committed' && `it is ${device.second?.state}`,
          (!boots.includes(evidence.before.bootId) || !boots.includes(after.bootId)) &&
            "its boot ids are not in the board's log",
          boots.indexOf(after.bootId) <= boots.indexOf(evidence.before.bootId) && 'it was not restarted',
          device.boots.find(({ bootId }) => bootId === after.bootId)?.slot !== to &&
            'the board booted another slot than it says',
          from === to && `it runs in slot ${to} as before`,
          after.bundleUuid !== second.bundleUuid && `it runs bundle ${after.bundleUuid}`,
          evidence.slotDigestMatches !== true && 'it did not find its slot to be as in the bundle',
          evidence.health.length !== 2 && `${evidence.health.length} health checks ran`,
          ...evidence.health.map(({ name, ok }) => !ok && `health check ${name} failed`),
          ...diskIs(device.afterSecond, to, second),
        ],
    `slot ${to}, boot ${after?.bootId.slice(0, 8)}, disk ${slotDigest(device.afterSecond, to, second)?.slice(0, 12)}`,
  );
}

function diskIs(disk: DiskState | undefined, slot: string | undefined, release: Release): string[] {
  if (disk === undefined || slot === undefined) return ['the disk was not read'];
  return [
    disk.activeSlot !== slot && `the disk's active slot is ${disk.activeSlot}`,
    disk.onTrial && 'the slot is still on trial',
    disk.uuids[slot] !== release.bundleUuid && `slot ${slot} is said to hold ${disk.uuids[slot]}`,
    slotDigest(disk, slot, release) !== rootfsOf(release).blake2b256 &&
      `slot ${slot} does not hold the bytes of ${release.version}`,
  ].filter((problem) => problem !== false);
}

function slotDigest(
  disk: DiskState | undefined,
  slot: string | undefined,
  release: Release | undefined,
): string | undefined {
  return disk?.digests[slot ?? '']?.[release?.version ?? ''];
}

/** Power-on and one restart for the second release; one power-on more where the power was cut; two restarts more where the third was tried. */
function checkBootCounts({ devices }: Facts): Check {
  const wrong = devices.flatMap((device) => {
    const expected = 2 + (device.cut === undefined ? 0 : 1) + (device.ring === 'canary' ? 2 : 0);
    const seen = device.boots.length;
    return seen === expected
      ? []
      : [`${device.id} booted ${seen} times, expected ${expected} (${device.boots.map(({ why }) => why).join(', ')})`];
  });
  const total = devices.reduce((sum, { boots }) => sum + boots.length, 0);
  return check(
    'no-needless-restart',
    "no board restarted more often than its story needs, by the boards' logs",
    wrong,
    `${total} boots`,
  );
}

function checkBothCuts({ cuts }: Facts): Check {
  const phases = cuts
    .map(({ phase }) => phase)
    .sort()
    .join(' and ');
  return check(
    'both-power-cuts',
    'one board loses power in mid-download, one in mid-install',
    [phases !== 'download and install' && `seen: ${phases || 'none'}`],
    phases,
  );
}

function checkCut(cut: PowerCut, { devices, releases }: Facts): Check {
  const device = devices.find(({ id }) => id === cut.deviceId);
  const second = releases[1];
  const text = `${cut.deviceId} lost power in mid-${cut.phase} and still ended on the second release`;
  if (device === undefined || second === undefined)
    return check(`cut-${cut.phase}`, text, ['the device is not in the plan'], '');
  const next = device.boots[device.boots.findIndex(({ bootId }) => bootId === cut.bootId) + 1];
  const target = slots.find((slot) => slot !== cut.disk.activeSlot)!;
  const half = slotDigest(cut.disk, target, second) !== rootfsOf(second).blake2b256;
  const have = cut.haveBytes;
  const whole = cut.phase === 'download' ? cut.sizeBytes : rootfsOf(second).lengthBytes;
  return check(
    `cut-${cut.phase}`,
    text,
    [
      next?.why !== 'power-on' && `the boot after it was ${next?.why ?? 'none'}`,
      next?.slot !== cut.disk.activeSlot && `it came back in slot ${next?.slot}`,
      (cut.disk.onTrial || cut.disk.uuids[cut.disk.activeSlot] === second.bundleUuid) &&
        'the slot had been switched already: too late to be mid-install',
      (have <= 0 || have > whole || (cut.phase === 'download' && have === whole)) &&
        `${have} of ${whole} bytes were there`,
      cut.phase === 'install' && !half && 'the slot had been written completely: too late to be mid-install',
      cut.phase === 'install' &&
        cut.disk.uuids[target] === second.bundleUuid &&
        'the half-written slot is named as the release',
      device.second?.state !== 'committed' && `it ended ${device.second?.state}`,
    ],
    cut.phase === 'download'
      ? `${have} of ${whole} bytes of the bundle were there`
      : `${have} of ${whole} bytes of slot ${target} were written`,
  );
}

function checkHalted({ thirdRollout, followExit, devices }: Facts): Check {
  const canaries = devices.filter(({ ring }) => ring === 'canary');
  return check(
    'third-release-halts',
    'the rollout of the third release halts itself at the canaries',
    [
      thirdRollout?.state !== 'halted' && `the rollout is ${thirdRollout?.state ?? 'missing'}`,
      followExit.third !== 4 && `following it ended with exit code ${followExit.third}`,
      thirdRollout?.currentPhase !== 0 && `phase ${(thirdRollout?.currentPhase ?? 0) + 1} had begun`,
    ],
    `${canaries.length} failed, ${thirdRollout?.reason ?? ''}`,
  );
}

function checkRolledBack(device: DeviceReport, { releases }: Facts): Check {
  const [, second, third] = releases;
  const evidence = device.third?.evidence;
  const failed = evidence?.health.filter(({ ok }) => !ok).map(({ name }) => name) ?? [];
  const tried = device.boots.find(({ uuid }) => uuid === third?.bundleUuid);
  const last = device.boots.at(-1);
  const home = device.afterSecond?.activeSlot;
  return check(
    `rolled-back-${device.id}`,
    `${device.id} tries the third release, finds itself unwell, and goes back by itself`,
    [
      device.third?.state !== 'rolled-back' && `it is ${device.third?.state ?? 'not in the rollout'}`,
      tried === undefined && 'the board never booted the third release',
      failed.join() !== 'meter' && `failed health checks: ${failed.join(', ') || 'none'}`,
      last?.slot !== home && `the last boot was slot ${last?.slot}`,
      last?.uuid !== second?.bundleUuid && 'the last boot was not the second release',
      ...(second === undefined ? ['no second release'] : diskIs(device.atEnd, home, second)),
    ],
    `failed ${failed.join(', ')}, back in slot ${home}`,
  );
}

function checkUntouched({ devices, releases, thirdRollout }: Facts): Check {
  const [first, second, third] = releases;
  const others = devices.filter(({ ring }) => ring !== 'canary');
  const problems = others.flatMap(({ id, third: told, boots, atEnd, afterSecond }) => {
    if (atEnd === undefined || afterSecond === undefined) return [`the disk of ${id} was not read`];
    const old = slots.find((slot) => slot !== afterSecond.activeSlot)!;
    const holds = (release: Release): boolean =>
      slots.some((slot) => slotDigest(atEnd, slot, release) === rootfsOf(release).blake2b256);
    return [
      told !== undefined && !['waiting', 'cancelled'].includes(told.state) && `${id} is ${told.state} in the rollout`,
      boots.some(({ timeMs }) => timeMs > (thirdRollout?.startedAtMs ?? 0)) && `${id} restarted`,
      !sameDisk(atEnd, afterSecond) && `${id}'s disk has changed`,
      atEnd.uuids[old] !== first?.bundleUuid && `${id} has lost the first release in slot ${old}`,
      atEnd.uuids[atEnd.activeSlot] !== second?.bundleUuid && `${id} does not run the second release`,
      third !== undefined && holds(third) && `${id} has the third release on its disk`,
    ];
  });
  const missing = thirdRollout === undefined && 'there was no such rollout';
  return check(
    'nobody-else-touched',
    'the third release reaches no device but the canaries',
    [missing, ...problems],
    `${others.length} devices, byte for byte as before`,
  );
}

/** In all that was known of the disk at both times. */
function sameDisk(now: DiskState | undefined, before: DiskState | undefined): boolean {
  if (now === undefined || before === undefined) return false;
  const { digests, ...rest } = before;
  return (
    Object.entries(rest).every(
      ([key, value]) => JSON.stringify(now[key as keyof DiskState]) === JSON.stringify(value),
    ) &&
    Object.entries(digests).every(([slot, by]) =>
      Object.entries(by).every(([version, digest]) => now.digests[slot]?.[version] === digest),
    )
  );
}
