import { join } from 'node:path';
import { CoordinatorClient } from '../client/coordinator-client.ts';
import { HttpConnection } from '../client/http-connection.ts';
import { loadCoordinatorConfig } from '../config/coordinator-config.ts';
import { coordinatorConfigName, findFleetDir } from '../config/fleet-dir.ts';

/** The typed client of this fleet's coordinator: FLOTILLA_SOCKET, else what the fleet's coordinator.yaml says. */
export async function openClient(fleetDirFlag: string | undefined): Promise<CoordinatorClient> {
  return new CoordinatorClient(new HttpConnection(await findSocketPath(fleetDirFlag)));
}

async function findSocketPath(fleetDirFlag: string | undefined): Promise<string> {
  const fromEnvironment = process.env['FLOTILLA_SOCKET'];
  if (fromEnvironment) return fromEnvironment;
  const directory = await findFleetDir(fleetDirFlag);
  return (await loadCoordinatorConfig(join(directory, coordinatorConfigName))).socket;
}
