import { join } from 'node:path';
import { execa } from 'execa';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { coordinatorServerName, createDeviceKeyAndCsr } from '../../../src/pki/index.ts';
import { createFleet } from '../../support/fleet.ts';
import type { Contender } from './contender.ts';
import { cpuSecondsOf } from './process-cpu.ts';

/** A coordinator as `flotilla coordinator start` starts it: core, store thread, gateway processes. */
export async function startFlotilla(option: { gateways: number }): Promise<Contender> {
  await using started = new AsyncDisposableStack();
  const fleet = started.use(await createFleet(option));
  const client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
  const { fleetId, pid, gateways, store } = await client.status();
  const pids = [pid, ...gateways.map((gateway) => gateway.pid)];
  const stack = started.move();
  return {
    dialect: 'flotilla',
    port: fleet.port,
    serverName: coordinatorServerName(fleetId),
    confirmedMeans: 'committed to SQLite with synchronous=FULL: synced to the disk',
    async stored() {
      const { stdout } = await execa('sqlite3', [
        '-readonly',
        store.path,
        "SELECT count(*) || ' ' || count(DISTINCT device || instance || lane || ':' || seq) FROM event WHERE type = 'meter.reading'",
      ]);
      const [rows, distinct] = stdout.split(' ').map(Number);
      if (rows !== distinct) throw new Error(`${rows} rows are stored, ${distinct} of them different`);
      return rows;
    },
    cpuSeconds: () => cpuSecondsOf(pids),
    async device(id) {
      const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr(id);
      const { certificate, authority } = await client.sign({ csr: csrPem });
      return { keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
