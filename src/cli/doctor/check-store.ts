/** The coordinator's database: is it sound, and is the audit log in it whole? */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditVerification } from '../../client/contract/index.ts';
import type { CoordinatorConfig } from '../../config/coordinator-config.ts';
import type { FleetLayout } from '../../config/fleet-layout.ts';
import { FlotillaError } from '../../error.ts';
import { openAuditFile } from '../../store/audit-file.ts';
import { loadTrust, signersOf } from '../audit/signer.ts';
import { verifyDatabase } from '../audit/verify-database.ts';
import { formatBytes, plural } from '../human.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** A larger one takes minutes: then only the audit log is looked at. */
const maxCheckedBytes = 1024 * 1024 * 1024;

export async function checkStore(layout: FleetLayout, { data, fleetId }: CoordinatorConfig): Promise<Finding[]> {
  const path = join(data, 'flotilla.db');
  if (!existsSync(path)) return [ok('database', 'none yet: the coordinator makes it at its first start')];
  const restore = `stop the coordinator, keep ${path} with its -wal and -shm, restore data/ from your backup`;
  try {
    const database = checkDatabase(path, restore);
    const signers = signersOf(await loadTrust(layout), fleetId);
    return [database, judgeAudit(await verifyDatabase({ path, signers }))];
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    const id = error.code === 'store-no-audit' ? 'audit' : 'database';
    return [fail(id, `${error.message}${error.detail.seen === undefined ? '' : ` (${error.detail.seen})`}`, restore)];
  }
}

function checkDatabase(path: string, restore: string): Finding {
  const { size } = statSync(path);
  if (size > maxCheckedBytes) {
    const own = `sqlite3 -readonly ${path} "pragma quick_check"`;
    return ok('database', `${formatBytes(size)}, too large to go through it here: ${own}`);
  }
  using file = openAuditFile(path);
  const said = file.quickCheck();
  return said === 'ok' ? ok('database', `${formatBytes(size)}, sound`) : fail('database', said, restore);
}

/** Also of what a coordinator elsewhere says of its own. */
export function judgeAudit(found: AuditVerification): Finding {
  const { rows, problems, problemCount, unanchoredRows, head } = found;
  const [first] = problems;
  if (first !== undefined) {
    const more = problemCount > 1 ? `; ${plural(problemCount, 'problem')} in all` : '';
    const mend =
      'flotilla audit verify tells all of it; compare with an export or a backup, and find out who had access';
    return fail('audit', `${first.message}${more}`, mend);
  }
  if (unanchoredRows > 0) {
    const seen = `whole, ${plural(rows, 'row')}; the last ${unanchoredRows} are not signed`;
    return warn('audit', seen, 'flotilla audit head signs them now; a second later the coordinator does it by itself');
  }
  const short = `${head.slice(0, head.indexOf(':') + 9)}…`;
  return ok(
    'audit',
    `whole, ${plural(rows, 'row')}, head ${short}: keep one elsewhere now and then, flotilla audit head`,
  );
}
