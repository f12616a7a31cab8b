import { describe, expect, it } from 'vitest';
import { routes } from '../../../src/coordinator/api/route-list.ts';
import { authorize } from '../../../src/coordinator/operator/caller.ts';
import { mayDo, rights, rolesWith } from '../../../src/coordinator/operator/right.ts';
import { operatorRoles } from '../../../src/role.ts';

const callerWith = (role: (typeof operatorRoles)[number]) => ({
  actor: 'operator:anna',
  role,
  from: '192.0.2.1',
  via: 'certificate' as const,
});

/** The decision on each route, written down a second time: a new route has to be added here by hand, too. */
const decisions: Record<string, string> = {
  'GET /v1/audit': 'administer',
  'GET /v1/audit/export': 'administer',
  'GET /v1/audit/follow': 'administer',
  'GET /v1/audit/head': 'administer',
  'GET /v1/audit/verify': 'administer',
  'GET /v1/status': 'read',
  'POST /v1/shutdown': 'administer',
  'GET /v1/openapi.json': 'read',
  'GET /v1/self': 'read',
  'GET /v1/operators': 'administer',
  'POST /v1/operators': 'administer',
  'POST /v1/operators/:name/revoke': 'administer',
  'GET /v1/devices': 'read',
  'GET /v1/devices/watch': 'read',
  'GET /v1/devices/:id': 'read',
  'DELETE /v1/devices/:id': 'enroll',
  'POST /v1/devices/:id/requests': 'operate',
  'POST /v1/devices/accept': 'enroll',
  'POST /v1/devices/reject': 'isolate',
  'POST /v1/devices/quarantine': 'isolate',
  'POST /v1/devices/allow-bundle': 'release',
  'POST /v1/devices/update-agent': 'release',
  'GET /v1/agent-updates/:id': 'read',
  'POST /v1/devices/reset-time': 'administer',
  'POST /v1/devices/:id/replace': 'administer',
  'POST /v1/devices/tag': 'tag',
  'GET /v1/authorities': 'read',
  'GET /v1/authorities/:id': 'read',
  'POST /v1/authorities': 'administer',
  'POST /v1/authorities/rotation': 'administer',
  'POST /v1/authorities/rotation/certificate': 'administer',
  'POST /v1/authorities/coordinator': 'administer',
  'POST /v1/authorities/challenge': 'administer',
  'POST /v1/authorities/:id/retire': 'administer',
  'DELETE /v1/authorities/:id': 'administer',
  'GET /v1/certificates': 'read',
  'GET /v1/certificates/:id': 'read',
  'POST /v1/certificates/sign': 'enroll',
  'POST /v1/certificates/revoke': 'administer',
  'GET /v1/crl': 'read',
  'GET /v1/crl.der': 'read',
  'GET /v1/crl.pem': 'read',
  'GET /v1/renewals': 'read',
  'POST /v1/certificates/renew': 'operate',
  'POST /v1/select/match': 'read',
  'GET /v1/select/complete': 'read',
  'POST /v1/select/count': 'read',
  'POST /v1/select/values': 'read',
  'POST /v1/select/explain': 'read',
  'GET /v1/why/:id': 'read',
  'POST /v1/jobs': 'operate',
  'PUT /v1/contents': 'operate',
  'GET /v1/jobs/:id/files/:device': 'read',
  'GET /v1/jobs': 'read',
  'GET /v1/jobs/:id': 'read',
  'POST /v1/jobs/:id/cancel': 'operate',
  'POST /v1/jobs/:id/output': 'operate',
  'GET /v1/jobs/:id/follow': 'read',
  'GET /v1/jobs/:id/results': 'read',
  'POST /v1/jobs/:id/retry': 'operate',
  'GET /v1/devices/:id/jobs': 'read',
  'GET /v1/devices/:id/updates': 'read',
  'POST /v1/receipts': 'operate',
  'POST /v1/schedules': 'operate',
  'GET /v1/schedules': 'read',
  'GET /v1/schedules/:name': 'read',
  'GET /v1/schedules/:name/next': 'read',
  'POST /v1/schedules/:name/pause': 'operate',
  'POST /v1/schedules/:name/resume': 'operate',
  'DELETE /v1/schedules/:name': 'operate',
  'PUT /v1/releases': 'release',
  'GET /v1/releases': 'read',
  'GET /v1/releases/:id': 'read',
  'POST /v1/rollouts': 'rollout', // and what its action takes: rollout-role.test.ts
  'GET /v1/rollouts': 'read',
  'POST /v1/rollouts/plan': 'read', // touches nothing
  'POST /v1/rollouts/apply': 'rollout',
  'GET /v1/rollouts/:id': 'read',
  'POST /v1/rollouts/:id/approve': 'read', // the phase names the role
  'POST /v1/rollouts/:id/pause': 'halt',
  'POST /v1/rollouts/:id/resume': 'rollout',
  'POST /v1/rollouts/:id/abort': 'halt',
  'GET /v1/rollouts/:id/follow': 'read',
  'GET /v1/rollouts/:id/report': 'read',
  'GET /v1/rollouts/:id/recording': 'read',
  'GET /v1/schemas': 'read',
  'GET /v1/schemas/:id': 'read',
  'POST /v1/schemas': 'release',
  'POST /v1/configs': 'operate',
  'GET /v1/configs/:id': 'read',
  'GET /v1/configs/:id/:name': 'read',
  'POST /v1/configs/:id/:name/resolve': 'operate',
  'GET /v1/events': 'read',
  'GET /v1/events/follow': 'read',
  'GET /v1/events/export': 'read',
  'POST /v1/events/redact': 'administer',
  'POST /v1/enrollment-tokens': 'enroll',
  'GET /v1/enrollment-tokens': 'read',
  'POST /v1/enrollment-tokens/:id/revoke': 'enroll',
  'POST /v1/manifest': 'enroll',
  'GET /v1/manifest': 'read',
  'POST /v1/manifest/remove': 'enroll',
  'GET /v1/groups': 'read',
  'GET /v1/groups/:name': 'read',
  'POST /v1/groups': 'operate',
  'DELETE /v1/groups/:name': 'operate',
  'GET /v1/consumers': 'read',
  'DELETE /v1/consumers/:name': 'operate',
  'GET /v1/consumers/:name/stream': 'operate',
  'GET /v1/consumers/:name/handle': 'operate',
  'POST /v1/consumers/:name/ack': 'operate',
  'POST /v1/consumers/:name/settle': 'operate',
  'POST /v1/consumers/:name/reset': 'operate',
  'GET /v1/deadletters': 'read',
  'GET /v1/deadletters/:id': 'read',
  'POST /v1/deadletters/replay': 'operate',
  'POST /v1/deadletters/discard': 'operate',
};

describe('rights', () => {
  it('are decided for every route', () => {
    const made = Object.fromEntries(routes.map(({ method, path, right }) => [`${method} ${path}`, right as string]));
    expect(made).toEqual(decisions);
    expect(routes).toHaveLength(Object.keys(made).length); // none stands twice
  });

  it('are had by the roles that say so, and by no other', () => {
    for (const [right, { roles }] of Object.entries(rights)) {
      const allowed = operatorRoles.filter((role) => mayDo(role, right));
      expect(allowed, right).toEqual(operatorRoles.filter((role) => (roles as readonly string[]).includes(role)));
      expect(allowed, right).toContain('admin');
    }
    expect(operatorRoles.filter((role) => mayDo(role, 'administer'))).toEqual(['admin']);
    const ofViewer = Object.keys(rights).filter((right) => mayDo('viewer', right));
    expect(ofViewer).toEqual(['read']);
  });

  it.each([undefined, '', 'unheard-of', 'constructor', '__proto__', 'toString'])(
    'are nobody’s where the right is %s',
    (right) => {
      for (const role of operatorRoles)
        expect(() => authorize(callerWith(role), right), role).toThrow('may not do this');
    },
  );

  it('are nobody’s where the set of roles is empty', () => {
    const empty = { sealed: { purpose: 'nothing', roles: [] } };
    expect(rolesWith('sealed', empty)).toEqual([]);
    for (const role of [...operatorRoles, '', 'root']) expect(mayDo(role, 'sealed', empty)).toBe(false);
  });

  it('refuse with the role that is needed, and the one that is there', () => {
    expect(() => authorize(callerWith('viewer'), 'operate')).toThrow(
      expect.objectContaining({
        fault: 'forbidden',
        code: 'role-forbidden',
        detail: expect.objectContaining({
          seen: 'operator:anna has the role viewer',
          expected: 'the role operator or admin',
        }),
      }),
    );
  });
});
