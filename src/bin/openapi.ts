/** `openapi.ts`: prints the OpenAPI document of this build's API on stdout. Needs no coordinator. */
import { packageVersion } from '../config/index.ts';
import { describeApi } from '../coordinator/api/openapi.ts';
import { routes } from '../coordinator/api/route-list.ts';

process.stdout.write(`${JSON.stringify(describeApi(routes, await packageVersion()), null, 2)}\n`);
