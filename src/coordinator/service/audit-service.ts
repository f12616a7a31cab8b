import { readFile } from 'node:fs/promises';
import type { X509Certificate } from 'node:crypto';
import {
  formatHead,
  keptAnchor,
  parseHead,
  verifyLog,
  type AuditExportRow,
  type AuditHead,
  type ExportEntry,
  type RawEntry,
} from '../../audit/index.ts';
import type { AuditEntry, AuditHeadReply, AuditQuery, AuditVerification } from '../../client/contract/audit.ts';
import { FlotillaError } from '../../error.ts';
import type { AuditFilter } from '../../store/index.ts';
import { audit, type ServiceContext } from './context.ts';
import { Mailbox } from './mailbox.ts';

const defaultLimit = 100;
const pageRows = 500;

/** A page of the log in order of number; without `from` its end. */
export async function listAudit({ core }: ServiceContext, query: AuditQuery): Promise<AuditEntry[]> {
  const { seq: last } = await core.store.auditHead();
  const limit = query.limit ?? defaultLimit;
  const direction = query.from === undefined ? 'down' : 'up';
  const to = direction === 'up' ? last : 1;
  const filter = filterOf(query);
  const entries: AuditEntry[] = [];
  for (let from: number | undefined = query.from ?? last; from !== undefined && entries.length < limit;) {
    const slice = await core.store.scanAudit({ filter, direction, from, to, limit: limit - entries.length });
    entries.push(...slice.entries);
    from = slice.next;
  }
  return direction === 'up' ? entries : entries.toReversed();
}

/** Rows from a number on (or only new ones), for ever. */
export async function followAudit(
  { core }: ServiceContext,
  query: AuditQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<AuditEntry>> {
  const filter = filterOf(query);
  const first = query.from ?? (await core.store.auditHead()).seq + 1;
  const news = new Mailbox<true>();
  const unsubscribe = core.subscribe(({ kind }) => {
    if (kind === 'audit') news.put('audit', true);
  });
  signal.addEventListener('abort', () => news.close(), { once: true });
  async function* rows(): AsyncGenerator<AuditEntry> {
    try {
      for (let from = first; !signal.aborted;) {
        const { seq: to } = await core.store.auditHead();
        if (from > to) {
          if ((await news.take()) === undefined) return;
          continue;
        }
        const slice = await core.store.scanAudit({ filter, direction: 'up', from, to, limit: pageRows });
        yield* slice.entries;
        from = slice.next ?? to + 1;
      }
    } finally {
      unsubscribe();
    }
  }
  return rows();
}

function filterOf({ actor, action, device, result, sinceMs, untilMs }: AuditQuery): AuditFilter {
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(action === undefined ? {} : { action }),
    ...(device === undefined ? {} : { deviceId: device }),
    ...(result === undefined ? {} : { result }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  };
}

export async function showAuditHead({ auditHeads }: ServiceContext): Promise<AuditHeadReply> {
  const { seq, hash, atMs } = await auditHeads.sign();
  return { seq, hash, head: formatHead({ seq, hash }), signedAtMs: atMs };
}

/** All rows from a number on, up to the head that is signed for it: what leaves can be verified anywhere. */
export async function exportAudit(
  context: ServiceContext,
  { from = 1 }: { from?: number },
  signal: AbortSignal,
): Promise<AsyncGenerator<AuditExportRow>> {
  const { core, auditHeads, clock } = context;
  // Who has taken the log away is in it, too.
  await core.submit((turn) => audit(turn, context, 'audit.export', `rows from ${from}`, {}));
  const checkpoint = await auditHeads.sign();
  if (from > checkpoint.seq) throw noSuchRow(from, checkpoint.seq);
  const { fleetId, instanceId } = core.state;
  const before = from === 1 ? undefined : (await core.store.rawAudit(from - 1, 1))[0];
  const after: AuditHead = { seq: from - 1, hash: before === undefined ? '0'.repeat(64) : textOf(before.hash) };
  async function* rows(): AsyncGenerator<AuditExportRow> {
    yield {
      kind: 'header',
      version: 1,
      fleetId,
      instanceId,
      exportedAtMs: clock.nowMs(),
      after: formatHead(after),
      checkpoint,
      certificate: auditHeads.certificatePem,
    };
    let head = after;
    let count = 0;
    for await (const page of rawPages(context, from, signal)) {
      for (const raw of page) {
        const entry = exportEntry(raw);
        if (entry.seq > checkpoint.seq) break;
        head = { seq: entry.seq, hash: entry.hash };
        count += 1;
        yield entry;
      }
      if (head.seq >= checkpoint.seq) break;
    }
    if (!signal.aborted) yield { kind: 'trailer', rows: count, head: formatHead(head) };
  }
  return rows();
}

/** The same that `audit verify` does where the database is at hand. */
export async function verifyAudit(
  context: ServiceContext,
  { head: text }: { head?: string },
  signal: AbortSignal,
): Promise<AuditVerification> {
  const { core, auditHeads } = context;
  const kept = text === undefined ? undefined : parseHead(text);
  if (text !== undefined && kept === undefined) throw malformedHead(text);
  const { fleetId, instanceId } = core.state;
  const file = await readFile(auditHeads.path, 'utf8').catch(() => undefined);
  const { auditCheckpoint: stored } = (await core.store.meta()) as Record<string, string | undefined>;
  const signers: X509Certificate[] = [auditHeads.certificate];
  const report = await verifyLog(
    { fleetId, instanceId, checkpoints: { file, stored }, rows: rawPages(context, -Number.MAX_SAFE_INTEGER, signal) },
    signers,
    kept === undefined ? [] : [keptAnchor(kept)],
    (error) => (error instanceof FlotillaError && error.code === 'store-corrupt' ? error.message : undefined),
  );
  const { rows, head, anchored, problems, problemCount } = report;
  return {
    ok: problemCount === 0,
    source: core.store.path,
    fleetId,
    from: 1,
    rows,
    head: formatHead(head),
    ...(anchored.seq === 0 ? {} : { anchored: formatHead(anchored) }),
    unanchoredRows: Math.max(0, head.seq - anchored.seq),
    problems,
    problemCount,
    notes: [],
  };
}

async function* rawPages({ core }: ServiceContext, first: number, signal: AbortSignal): AsyncGenerator<RawEntry[]> {
  for (let from = first; !signal.aborted;) {
    const page = await core.store.rawAudit(from, pageRows);
    yield page;
    if (page.length < pageRows) return;
    from = Number(textOf(page.at(-1)!.seq)) + 1;
  }
}

const textOf = (value: string | Uint8Array): string =>
  typeof value === 'string' ? value : Buffer.from(value).toString('utf8');

function exportEntry({ seq, atMs, ...texts }: RawEntry): ExportEntry {
  const { actor, role, from, action, subject, devices, result, code, detail, prev, hash } = texts;
  return {
    kind: 'entry',
    seq: Number(textOf(seq)),
    atMs: Number(textOf(atMs)),
    actor: textOf(actor),
    role: textOf(role),
    from: textOf(from),
    action: textOf(action),
    subject: textOf(subject),
    devices: textOf(devices),
    result: textOf(result),
    code: textOf(code),
    detail: textOf(detail),
    prev: textOf(prev),
    hash: textOf(hash),
  };
}

function noSuchRow(from: number, last: number): FlotillaError {
  return new FlotillaError('usage', 'audit-row-unknown', `the audit log has no row ${from}`, {
    seen: String(from),
    expected: `1 to ${last}`,
  });
}

function malformedHead(text: string): FlotillaError {
  return new FlotillaError('usage', 'audit-head-malformed', 'this is no head of an audit log', {
    seen: JSON.stringify(text.slice(0, 100)),
    expected: 'SEQ:HASH, as flotilla audit head prints it',
  });
}
