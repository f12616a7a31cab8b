/** The device of bench:slow-link, a process in its own network namespace. Answers each request on lane 0. */
import { randomBytes } from 'node:crypto';
import { createLink } from '../../../src/agent/link/link.ts';
import { systemClock } from '../../../src/clock.ts';
import { openDeviceDatabase } from '../../../src/eventlog/open-device-database.ts';
import { createDeviceLog } from '../../../src/eventlog/sqlite-device-log.ts';
import { createLog } from '../../../src/log.ts';
import { resultType, textRow, type DeviceSetup } from './setup.ts';

const setup = JSON.parse(process.argv[2]!) as DeviceSetup;
const database = openDeviceDatabase(setup.databasePath);
const log = createDeviceLog(database);
log.transact(() => {
  for (let n = 0; n < setup.bulkEvents; n += 1) {
    // Nothing of it can be made smaller: the link is as full as it can be.
    log.append(3, { ...textRow('meter.reading', ''), payload: randomBytes(60) });
  }
});
process.stderr.write(`${setup.bulkEvents} bulk events are queued\n`);

const link = createLink({
  endpoint: { host: setup.host, port: setup.port, serverName: setup.serverName },
  identity: setup.identity,
  log,
  agentVersion: '1.0.0',
  clock: systemClock,
  logger: createLog({ name: 'device', level: 'info', destination: 2 }),
  onRequest() {
    for (const request of log.unsettled()) {
      log.transact(() => {
        log.append(0, textRow(resultType, Buffer.from(request.payload).toString()));
        log.settle(request);
      });
    }
    link.wake();
  },
});
link.start();
process.on('SIGTERM', () => {
  void link.stop().then(() => database.close());
});
