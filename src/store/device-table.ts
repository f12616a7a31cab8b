import type { SQLOutputValue } from 'node:sqlite';
import type { CertificateRow, CursorRow, DeviceRow } from './row.ts';
import { removeRequests } from './request-table.ts';
import { jsonOrNull, type Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

export function writeDevice(statements: Statements, device: DeviceRow): void {
  statements
    .get('INSERT OR REPLACE INTO device VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)')
    .run(
      device.id,
      device.state,
      device.createdAtMs,
      device.sinceMs ?? null,
      device.address ?? null,
      device.agentVersion ?? null,
      device.instanceId ?? null,
      JSON.stringify(device.grains),
      JSON.stringify(device.tags),
      jsonOrNull(device.running),
      device.serial ?? null,
      jsonOrNull(device.candidate),
      JSON.stringify(device.quarantinedBundles),
      device.receivedBytes,
      device.sentBytes,
      jsonOrNull(device.accepts),
      jsonOrNull(notesOf(device)),
    );
}

/** What most devices have nothing of: one column for all of it. */
function notesOf({ hold, pin, refused, clock, agentUpdate, replaces, replacedBy }: DeviceRow): object | undefined {
  const notes = { hold, pin, refused, clock, agentUpdate, replaces, replacedBy };
  return Object.values(notes).every((note) => note === undefined) ? undefined : notes;
}

/** The device and what only it means. Certificates stay: a removed device's must remain revocable. */
export function removeDevice(statements: Statements, deviceId: string, instanceId = ''): void {
  statements.get('DELETE FROM device WHERE id = ?').run(deviceId);
  statements.get('DELETE FROM cursor WHERE device = ? AND instance <> ?').run(deviceId, instanceId);
  removeRequests(statements, deviceId);
  statements.get('DELETE FROM device_log WHERE device = ?').run(deviceId);
  statements.get('DELETE FROM suspect WHERE device = ?').run(deviceId);
  statements.get('DELETE FROM bound_grain WHERE device = ?').run(deviceId);
  statements.get('DELETE FROM renewal WHERE device = ?').run(deviceId);
  statements.get('DELETE FROM update_record WHERE device = ?').run(deviceId);
}

export function readDevices(statements: Statements): DeviceRow[] {
  return (statements.get('SELECT * FROM device').all() as Columns[]).map((row) => ({
    id: String(row['id']),
    state: String(row['state']) as DeviceRow['state'],
    createdAtMs: Number(row['created_ms']),
    ...(row['since_ms'] === null ? {} : { sinceMs: Number(row['since_ms']) }),
    ...(row['address'] === null ? {} : { address: String(row['address']) }),
    ...(row['agent_version'] === null ? {} : { agentVersion: String(row['agent_version']) }),
    ...(row['instance'] === null ? {} : { instanceId: String(row['instance']) }),
    grains: JSON.parse(String(row['grains'])),
    tags: JSON.parse(String(row['tags'])),
    ...(row['running'] === null ? {} : { running: JSON.parse(String(row['running'])) }),
    ...(row['serial'] === null ? {} : { serial: String(row['serial']) }),
    ...(row['candidate'] === null ? {} : { candidate: JSON.parse(String(row['candidate'])) }),
    quarantinedBundles: JSON.parse(String(row['quarantined_bundles'])),
    receivedBytes: Number(row['received_bytes']),
    sentBytes: Number(row['sent_bytes']),
    ...(row['accepts'] === null ? {} : { accepts: JSON.parse(String(row['accepts'])) }),
    ...(row['notes'] === null ? {} : JSON.parse(String(row['notes']))),
  }));
}

export function writeCursor(statements: Statements, cursor: CursorRow): void {
  statements
    .get('INSERT OR REPLACE INTO cursor (device, instance, lane, seq, at_ms) VALUES (?,?,?,?,?)')
    .run(cursor.deviceId, cursor.instanceId, cursor.lane, cursor.seq, cursor.atMs);
}

export function readCursors(statements: Statements): CursorRow[] {
  return (statements.get('SELECT * FROM cursor').all() as Columns[]).map((row) => ({
    deviceId: String(row['device']),
    instanceId: String(row['instance']),
    lane: Number(row['lane']),
    seq: Number(row['seq']),
    atMs: Number(row['at_ms']),
  }));
}

export function writeCertificate(statements: Statements, certificate: CertificateRow): void {
  statements
    .get(
      `INSERT OR REPLACE INTO certificate (serial, device, fingerprint, not_before_ms, not_after_ms, issued_ms,
       revoked_ms, revocation_reason, pem, issuer, profile, subject, renews, proven_ms, replaced_by, replaced_ms,
       key_sha256) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
    )
    .run(
      certificate.serial,
      certificate.deviceId,
      certificate.fingerprintSha256,
      certificate.notBeforeMs,
      certificate.notAfterMs,
      certificate.issuedAtMs,
      certificate.revokedAtMs ?? null,
      certificate.revocationReason ?? null,
      certificate.pem,
      certificate.issuer,
      certificate.profile ?? null,
      certificate.subject ?? null,
      certificate.renews ?? null,
      certificate.provenAtMs ?? null,
      certificate.replacedBy ?? null,
      certificate.replacedAtMs ?? null,
      certificate.keySha256 ?? null,
    );
}

export function readCertificates(statements: Statements): CertificateRow[] {
  return (statements.get('SELECT * FROM certificate ORDER BY issued_ms, serial').all() as Columns[]).map((row) => ({
    serial: String(row['serial']),
    deviceId: String(row['device']),
    fingerprintSha256: String(row['fingerprint']),
    notBeforeMs: Number(row['not_before_ms']),
    notAfterMs: Number(row['not_after_ms']),
    issuedAtMs: Number(row['issued_ms']),
    ...(row['revoked_ms'] === null ? {} : { revokedAtMs: Number(row['revoked_ms']) }),
    ...(row['revocation_reason'] === null ? {} : { revocationReason: String(row['revocation_reason']) }),
    pem: String(row['pem']),
    issuer: String(row['issuer']),
    ...(row['profile'] === null ? {} : { profile: String(row['profile']) }),
    ...(row['subject'] === null ? {} : { subject: String(row['subject']) }),
    ...(row['renews'] === null ? {} : { renews: String(row['renews']) }),
    ...(row['proven_ms'] === null ? {} : { provenAtMs: Number(row['proven_ms']) }),
    ...(row['replaced_by'] === null ? {} : { replacedBy: String(row['replaced_by']) }),
    ...(row['replaced_ms'] === null ? {} : { replacedAtMs: Number(row['replaced_ms']) }),
    ...(row['key_sha256'] === null ? {} : { keySha256: String(row['key_sha256']) }),
  }));
}

export function readCertificateOfKey(statements: Statements, keySha256: string): string | undefined {
  const row = statements
    .get('SELECT serial FROM certificate WHERE key_sha256 = ? ORDER BY issued_ms DESC LIMIT 1')
    .get(keySha256);
  return row === undefined ? undefined : String(row['serial']);
}
