import { Flags } from '@oclif/core';
import { auditResults, parseHead, type AuditHead } from '../../audit/index.ts';
import type { AuditQuery } from '../../client/contract/index.ts';
import { FlotillaError } from '../../error.ts';
import { defined } from '../defined.ts';
import { parseTime } from '../time.ts';

export const auditFilterFlags = {
  actor: Flags.string({ description: "only what this one did: 'operator:anna', 'local:0', 'system:clone'" }),
  action: Flags.string({ description: "only this action; a glob, such as 'device.*'", helpValue: 'GLOB' }),
  device: Flags.string({
    description: 'only what touched this device, or so many that not all are listed',
    helpValue: 'ID',
  }),
  result: Flags.string({ description: 'only what ended like this', options: [...auditResults] }),
  since: Flags.string({ description: 'not before this time: ISO, or how long ago (2h)', helpValue: 'TIME' }),
  until: Flags.string({ description: 'before this time: ISO, or how long ago', helpValue: 'TIME' }),
};

interface Given {
  actor?: string | undefined;
  action?: string | undefined;
  device?: string | undefined;
  result?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

export function readAuditQuery({ actor, action, device, result, since, until }: Given, nowMs: number): AuditQuery {
  const sinceMs = parseTime(since, '--since', nowMs);
  const untilMs = parseTime(until, '--until', nowMs);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw new FlotillaError('usage', 'time-order', '--since is not before --until', {
      seen: `${new Date(sinceMs).toISOString()} and ${new Date(untilMs).toISOString()}`,
    });
  }
  const known = auditResults.find((name) => name === result);
  return defined({ actor, action, device, result: known, sinceMs, untilMs });
}

export function readHead(text: string | undefined): AuditHead | undefined {
  if (text === undefined) return undefined;
  const head = parseHead(text);
  if (head !== undefined) return head;
  throw new FlotillaError('usage', 'audit-head-malformed', '--head is no head of an audit log', {
    seen: JSON.stringify(text.slice(0, 100)),
    expected: 'SEQ:HASH, as flotilla audit head prints it',
  });
}
