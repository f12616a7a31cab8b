/** What a demo that went well has found, to be spoiled one fact at a time. */
import type { Release, Rollout, RolloutDevice } from '../../src/client/contract/index.ts';
import type { Evidence } from '../../src/protocol/event.ts';
import type { DeviceReport, DiskState, PowerCut } from '../../src/demo/demo-report.ts';
import { planFleet } from '../../src/demo/fleet-plan.ts';
import type { Facts } from '../../src/demo/judge.ts';

const uuid = (version: string) => `${version[0]?.repeat(8)}-0000-5000-8000-000000000000`;
const digest = (text: string) => text.padEnd(64, '0');

function release(version: string): Release {
  return {
    id: `harbour-meter/${version}/stable`,
    product: 'harbour-meter',
    version,
    channel: 'stable',
    bundleUuid: uuid(version),
    sha256: digest('f'),
    sizeBytes: 1000,
    partBytes: 100,
    resources: [{ name: 'rootfs.img', lengthBytes: 900, blake2b256: digest(version) }],
    publishedAtMs: 0,
    publishedBy: 'root',
  };
}

function disk(activeSlot: string, versions: Record<string, string | undefined>): DiskState {
  const digests = Object.fromEntries(
    ['a', 'b'].map((slot) => [
      slot,
      Object.fromEntries(['1.0.0', '2.0.0', '3.0.0'].map((of) => [of, digest(versions[slot] === of ? of : 'other')])),
    ]),
  );
  const uuids = Object.fromEntries(
    Object.entries(versions).flatMap(([slot, version]) => (version ? [[slot, uuid(version)]] : [])),
  );
  return { activeSlot, uuids, digests, onTrial: false };
}

function rolledOut(
  deviceId: string,
  phase: number,
  state: RolloutDevice['state'],
  evidence?: Partial<Evidence>,
): RolloutDevice {
  const base = { before: { bootId: `${deviceId}-1`, slot: 'a' }, health: [], downloadedBytes: 1000 };
  return {
    deviceId,
    phase,
    state,
    sinceMs: 0,
    attempts: 1,
    ...(evidence ? { evidence: { ...base, ...evidence } } : {}),
  };
}

function rollout(state: Rollout['state'], phases: Rollout['phases']): Rollout {
  const policy = {
    canaryMaxFailures: 1,
    maxFailures: 1,
    maxFailureShare: 1,
    minSample: 1,
    maxInFlight: 9,
    deadlineSeconds: 9,
  };
  return {
    id: 'r',
    release: '',
    bundleUuid: '',
    selector: '*',
    state,
    startedAtMs: 5000,
    startedBy: 'root',
    revision: 1,
    currentPhase: state === 'completed' ? 2 : 0,
    phases,
    policy,
    counts: {},
  };
}

export function goodFacts(): Facts {
  const plan = planFleet(6);
  const phaseOf = { canary: 0, early: 1, main: 2 };
  const health = (meter: boolean) => [
    { name: 'integrity', ok: true, durationMs: 1 },
    { name: 'meter', ok: meter, durationMs: 1 },
  ];
  const boot = (id: string, n: number, slot: string, version: string, why: 'power-on' | 'reboot') =>
    ({ event: 'boot', timeMs: n * 1000, bootId: `${id}-${n}`, slot, bootCount: 0, uuid: uuid(version), why }) as const;
  const devices = plan.map((planned): DeviceReport => {
    const { id, ring, cut } = planned;
    const phase = phaseOf[ring];
    const boots = [
      boot(id, 1, 'a', '1.0.0', 'power-on'),
      ...(cut === undefined ? [] : [boot(id, 2, 'a', '1.0.0', 'power-on')]),
      boot(id, 3, 'b', '2.0.0', 'reboot'),
      ...(ring === 'canary' ? [boot(id, 6, 'a', '3.0.0', 'reboot'), boot(id, 7, 'b', '2.0.0', 'reboot')] : []),
    ];
    const proof = {
      before: { bootId: `${id}-${cut === undefined ? 1 : 2}`, slot: 'a' },
      after: { bootId: `${id}-3`, slot: 'b', bundleUuid: uuid('2.0.0') },
      slotDigestMatches: true,
      health: health(true),
      installedAtMs: 100 * phase + 10,
      decidedAtMs: 100 * phase + 90,
    };
    return {
      ...planned,
      boots,
      second: rolledOut(id, phase, 'committed', proof),
      third:
        ring === 'canary'
          ? rolledOut(id, 0, 'rolled-back', { health: health(false) })
          : rolledOut(id, phase, 'waiting'),
      afterSecond: disk('b', { a: '1.0.0', b: '2.0.0' }),
      atEnd: ring === 'canary' ? disk('b', { a: '3.0.0', b: '2.0.0' }) : disk('b', { a: '1.0.0', b: '2.0.0' }),
    };
  });
  const cut = (phase: PowerCut['phase'], haveBytes: number): PowerCut => {
    const deviceId = plan.find((device) => device.cut === phase)!.id;
    const state = disk('a', { a: '1.0.0' });
    return {
      deviceId,
      phase,
      atMs: 0,
      bootId: `${deviceId}-1`,
      toldState: '',
      sizeBytes: 1000,
      haveBytes,
      disk: state,
    };
  };
  const selected = plan.filter(({ site, ring }) => site === 'harbour' && ring !== 'canary').map(({ id }) => id);
  const size = (ring: string) => plan.filter((device) => device.ring === ring).length;
  return {
    startedAtMs: 0,
    releases: ['1.0.0', '2.0.0', '3.0.0'].map(release),
    job: {
      id: 'j',
      selector: 's',
      action: { kind: 'ping' },
      submittedBy: '',
      submittedAtMs: 0,
      expiresAtMs: 0,
      timeoutSeconds: 1,
      state: 'finished',
      matched: selected.length,
      counts: {},
      results: selected.map((deviceId) => ({
        deviceId,
        state: 'finished',
        outcome: 'succeeded',
        stdout: 'VERSION_ID=1.0.0\n',
      })),
    },
    secondRollout: rollout(
      'completed',
      ['canary', 'early', 'main'].map((ring) => ({ size: size(ring), state: 'passed' })),
    ),
    thirdRollout: rollout('halted', [{ size: size('canary'), state: 'failed' }]),
    cuts: [cut('download', 300), cut('install', 400)],
    devices,
    bytes: { receivedByCoordinator: 1, sentByCoordinator: 1 },
    gateways: 2,
    connected: plan.map(({ id }) => id),
    selector: 'G@site:harbour and not I@ring:canary',
    selected,
    followExit: { second: 0, third: 4 },
  };
}
