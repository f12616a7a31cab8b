import { describeApi } from './openapi.ts';
import { route, type Route } from './route.ts';

/** @param routes all of them, this one too */
export function openApiRoute(routes: () => readonly Route[]): Route {
  return route({
    method: 'GET',
    path: '/v1/openapi.json',
    right: 'read',
    summary: 'Give this document',
    run: (context) => describeApi(routes(), context.version),
  });
}
