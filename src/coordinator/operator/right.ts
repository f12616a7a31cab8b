/**
 * What a role may do: the one place where that is decided. A route names the right that it needs, and a right names the
 * roles that have it; the table of docs/security.md and the OpenAPI document are held to this.
 *
 * The roles are not one ladder. A technician lets devices in and runs nothing on them; an operator runs the fleet and
 * brings no new software; release engineers bring software and run no commands. Whoever may begin something that can
 * hurt many devices is not the only one who may stop it: `halt` and `isolate` are wider than what they undo.
 */
import type { OperatorRole } from '../../role.ts';

export interface RightRule {
  /** What it is for, as the tables print it. */
  purpose: string;
  roles: readonly OperatorRole[];
}

export const rights = {
  read: {
    purpose: 'see devices, events, jobs, rollouts, certificates, settings',
    roles: ['technician', 'release', 'operator', 'viewer', 'admin'],
  },
  enroll: {
    purpose: 'let a device in: accept it, sign its certificate, provision it, forget it',
    roles: ['technician', 'admin'],
  },
  isolate: {
    purpose: 'shut a device out in a way that can be undone: reject, quarantine',
    roles: ['technician', 'operator', 'admin'],
  },
  tag: { purpose: 'set and remove tags', roles: ['technician', 'operator', 'admin'] },
  operate: {
    purpose:
      'run jobs, set configuration, renew certificates, name selectors, send requests, read as a durable consumer, decide on dead letters',
    roles: ['operator', 'admin'],
  },
  release: {
    purpose: 'publish bundles and event schemas, roll releases out',
    roles: ['release', 'admin'],
  },
  rollout: {
    purpose: 'start and resume rollouts of what one may do without: releases (`release`), all else (`operate`)',
    roles: ['release', 'operator', 'admin'],
  },
  halt: { purpose: 'pause or abort a rollout', roles: ['release', 'operator', 'admin'] },
  administer: {
    purpose: 'authorities, operators, audit, revocation, redaction, the coordinator itself',
    roles: ['admin'],
  },
} as const satisfies Record<string, RightRule>;

export type Right = keyof typeof rights;

/** Fail closed: a right that is not in the table, or that no role has, lets nobody in. */
export function rolesWith(right: string, table: Record<string, RightRule> = rights): readonly OperatorRole[] {
  return Object.hasOwn(table, right) ? table[right]!.roles : [];
}

export function mayDo(role: string, right: string, table: Record<string, RightRule> = rights): boolean {
  return (rolesWith(right, table) as readonly string[]).includes(role);
}

/** Nobody gives what he has not: every right of `wanted` is one of `own`. */
export function coversRole(own: OperatorRole, wanted: OperatorRole): boolean {
  return Object.keys(rights).every((right) => !mayDo(wanted, right) || mayDo(own, right));
}
