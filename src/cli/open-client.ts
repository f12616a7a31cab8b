import { CoordinatorClient } from '../client/coordinator-client.ts';
import { HttpConnection } from '../client/http-connection.ts';
import { findEndpoint, type TargetFlags } from './find-endpoint.ts';

/** The typed client of the coordinator that the flags, the environment, the folder or the current context name. */
export async function openClient(flags: TargetFlags): Promise<CoordinatorClient> {
  return new CoordinatorClient(new HttpConnection(await findEndpoint(flags)));
}
