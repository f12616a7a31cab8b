/** One of each document of the contract, as a coordinator would answer it. */
import type {
  Certificate,
  Device,
  Job,
  Release,
  Rollout,
  StoredEvent,
  Why,
} from '../../../src/client/contract/index.ts';

export const nowMs = Date.UTC(2026, 10, 22, 21, 30, 0);

export const device: Device = {
  id: 'gw-001',
  state: 'accepted',
  connected: true,
  sinceMs: nowMs - 200_000,
  address: '192.0.2.7:50112',
  agentVersion: '0.1.0',
  grains: { site: 'harbour', kernel: { release: '6.6.31' }, addresses: ['192.0.2.7', '10.0.0.1'], evil: 'x\u001b[2J' },
  tags: { ring: 'canary' },
  running: { bootId: '7f0c-1', slot: 'a', bundleUuid: '0b5c1f0e', version: '1.0.0' },
  certificate: { serial: '5f1c', notAfterMs: nowMs + 86_400_000 },
  quarantinedBundles: [],
  traffic: { receivedBytes: 4200, sentBytes: 2300 },
  freshness: { asOfMs: nowMs, lanes: [0, 1, 2, 3].map((lane) => ({ lane, lagEvents: 0, lagBytes: 0, asOfMs: nowMs })) },
  log: {
    reportedAtMs: nowMs - 30_000,
    eventsSinceStart: 100,
    writtenBytesSinceStart: 31_000,
    droppedRows: 5,
    deadRows: 0,
    missingRows: 7,
    explainedRows: 5,
    gapReason: 'disk-pressure',
    lastGapAtMs: nowMs - 60_000,
  },
};

export const job: Job = {
  id: 'j-5k2f',
  selector: 'G@site:harbour',
  action: { kind: 'command', argv: ['sh', '-c', "echo it's"] },
  submittedBy: 'root',
  submittedAtMs: nowMs - 5000,
  expiresAtMs: nowMs + 60_000,
  timeoutSeconds: 300,
  state: 'finished',
  finishedAtMs: nowMs,
  matched: 2,
  counts: { succeeded: 1, failed: 1 },
  results: [
    {
      deviceId: 'gw-001',
      state: 'finished',
      outcome: 'succeeded',
      exitCode: 0,
      stdout: 'one\ntwo\n',
      startedAtMs: nowMs - 4000,
      finishedAtMs: nowMs - 3800,
    },
    {
      deviceId: 'gw-002',
      state: 'finished',
      outcome: 'failed',
      exitCode: 1,
      stderr: 'no\u001b[31m way',
      truncatedBytes: 7,
    },
  ],
};

export const certificate: Certificate = {
  serial: '5f1c',
  issuer: 'issuing-1',
  deviceId: 'gw-001',
  fingerprintSha256: 'ab'.repeat(32),
  notBeforeMs: nowMs - 1000,
  notAfterMs: nowMs + 364 * 86_400_000,
  issuedAtMs: nowMs,
  pem: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
};

export const release: Release = {
  id: 'gateway/2.0.0/stable',
  product: 'gateway',
  version: '2.0.0',
  channel: 'stable',
  bundleUuid: '0b5c1f0e',
  sha256: 'cd'.repeat(32),
  sizeBytes: 12_582_912,
  partBytes: 262_144,
  resources: [{ name: 'rootfs.img', lengthBytes: 12_000_000, blake2b256: 'ef'.repeat(32) }],
  publishedAtMs: nowMs - 60_000,
  publishedBy: 'root',
};

export const rollout: Rollout = {
  id: 'r-81ac',
  release: 'gateway/2.0.0/stable',
  bundleUuid: '0b5c1f0e',
  selector: '*',
  state: 'halted',
  reason: '1 failure of 1 allowed',
  startedAtMs: nowMs - 60_000,
  startedBy: 'root',
  revision: 4,
  currentPhase: 0,
  phases: [
    { size: 2, state: 'failed' },
    { size: 1, state: 'waiting' },
  ],
  policy: {
    canaryMaxFailures: 1,
    maxFailures: 2,
    maxFailureShare: 0.1,
    minSample: 5,
    maxInFlight: 50,
    deadlineSeconds: 86_400,
  },
  counts: { committed: 1, 'rolled-back': 1, waiting: 1 },
  devices: [
    {
      deviceId: 'gw-001',
      phase: 0,
      state: 'committed',
      sinceMs: nowMs - 1000,
      attempts: 1,
      evidence: {
        before: { bootId: 'aaaa', slot: 'a' },
        after: { bootId: 'bbbbbbbbbb', slot: 'b', bundleUuid: '0b5c1f0e-7f0c' },
        slotDigestMatches: true,
        health: [{ name: 'http', ok: true, durationMs: 3 }],
        downloadedBytes: 12_582_912,
      },
    },
    {
      deviceId: 'gw-002',
      phase: 0,
      state: 'rolled-back',
      sinceMs: nowMs,
      attempts: 2,
      reason: { code: 'health-failed', message: 'http answered 500' },
    },
    { deviceId: 'gw-003', phase: 1, state: 'waiting', sinceMs: nowMs - 60_000, attempts: 0 },
  ],
};

export const event: StoredEvent = {
  offset: 347,
  deviceId: 'gw-001',
  instanceId: '0f',
  lane: 0,
  seq: 3,
  type: 'flotilla.job',
  key: 'j-5k2f',
  timestampMs: nowMs,
  receivedAtMs: nowMs,
  payload: { state: 'finished' },
};

export const why: Why = {
  deviceId: 'gw-009',
  rolloutId: 'r-81ac',
  release: 'gateway/2.0.0/stable',
  conclusion: 'gw-009 waits until it connects again',
  rules: [
    { rule: 'known', verdict: 'ok', detail: 'seen 3m20s ago' },
    { rule: 'connected', verdict: 'blocks', detail: 'offline for 2h5m' },
  ],
};
