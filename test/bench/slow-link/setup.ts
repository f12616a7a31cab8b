import type { Row } from '../../../src/protocol/lane.ts';

/** What the bench tells its device, as JSON. */
export interface DeviceSetup {
  databasePath: string;
  bulkEvents: number;
  host: string;
  port: number;
  serverName: string;
  identity: { keyFile: string; certificateFile: string; authorityFile: string };
}

export const resultType = 'bench.result';

export function textRow(type: string, text: string): Row {
  return { type, key: '', timestampMs: Date.now(), schema: 0n, payload: Buffer.from(text) };
}
