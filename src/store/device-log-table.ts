import type { DeviceLogRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeDeviceLog(statements: Statements, { deviceId, ...document }: DeviceLogRow): void {
  statements.get('INSERT OR REPLACE INTO device_log VALUES (?,?)').run(deviceId, JSON.stringify(document));
}

export function readDeviceLogs(statements: Statements): DeviceLogRow[] {
  return statements
    .get('SELECT * FROM device_log')
    .all()
    .map((row) => ({
      deviceId: String(row['device']),
      ...JSON.parse(String(row['document'])),
    }));
}
