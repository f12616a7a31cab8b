import type { Credential, Operator, OperatorAdded, OperatorRevoked, Self } from '../../client/contract/index.ts';
import { formatAge, plural } from '../human.ts';
import type { Style } from '../paint.ts';
import { formatTable, type TableOption } from '../table.ts';

const soonMs = 30 * 86_400_000;

/** valid, ends-soon (a certificate, within 30 days), expired, used-up, revoked. */
function credentialState({ kind, notAfterMs, usesLeft, revokedAtMs }: Credential, nowMs: number): string {
  if (revokedAtMs !== undefined) return 'revoked';
  if (nowMs > notAfterMs) return 'expired';
  if (usesLeft === 0) return 'used-up';
  return kind === 'certificate' && notAfterMs - nowMs < soonMs ? 'ends-soon' : 'valid';
}

const styles: Record<string, Style> = { valid: 'green', 'ends-soon': 'yellow', expired: 'red', revoked: 'red' };

export function formatOperators(operators: readonly Operator[], nowMs: number, option: TableOption = {}): string {
  const rows = operators.flatMap((operator) => operator.credentials.map((credential) => ({ operator, credential })));
  if (rows.length === 0) return 'no operators\n';
  const state = ({ credential }: (typeof rows)[number]): string => credentialState(credential, nowMs);
  return formatTable(
    rows,
    [
      { title: 'NAME', value: ({ operator }) => operator.name },
      { title: 'ROLE', value: ({ operator }) => operator.role },
      { title: 'KIND', value: ({ credential }) => credential.kind },
      { title: 'ID', value: ({ credential }) => credential.id },
      { title: 'STATE', value: state, style: (row) => styles[state(row)] },
      { title: 'ISSUED', value: ({ credential }) => formatAge(credential.issuedAtMs, nowMs) },
      { title: 'BY', value: ({ credential }) => credential.issuedBy, shrink: true },
      { title: 'ENDS', value: ({ credential }) => formatAge(credential.notAfterMs, nowMs) },
      { title: 'USES', value: ({ credential }) => credential.usesLeft },
      { title: 'OPEN', value: ({ operator }) => operator.connections },
    ],
    option,
  );
}

type Added = OperatorAdded & { files: { key?: string; certificate?: string; authority?: string; token?: string } };

/** `text` is for stdout; `note` is what is said beside a token that stands there alone. */
export function formatAdded(
  { operator, credential, token, files }: Added,
  nowMs: number,
): { text: string; note: string } {
  const { name, role } = operator;
  const ends = formatAge(credential.notAfterMs, nowMs);
  const uses = credential.usesLeft === undefined ? '' : `, good for ${plural(credential.usesLeft, 'request')}`;
  const said = `added ${name}: ${role}, ${credential.kind} ${credential.id}, ends ${ends}${uses}`;
  if (token !== undefined) return { text: token, note: `${said}\nthe token is shown once and never again` };
  const proof =
    files.token === undefined
      ? `--cert ${files.certificate} --key ${files.key ?? 'KEY'}`
      : `--token-file ${files.token}`;
  const lines = [files.key, files.token].flatMap((path) => (path === undefined ? [] : [`${path}   keep it secret`]));
  const others = [files.certificate, files.authority].filter((path) => path !== undefined);
  const next = `flotilla context add NAME --host HOST --port PORT --ca ${files.authority} ${proof}`;
  return { text: [said, ...lines, ...others, next].join('\n'), note: '' };
}

export function formatOperatorRevoked({ operator, revoked, cutConnections }: OperatorRevoked): string {
  if (revoked.length === 0) return 'nothing to revoke: already done\n';
  const cut = cutConnections === 0 ? '' : `, ${plural(cutConnections, 'connection')} cut`;
  return `revoked ${operator.name}: ${plural(revoked.length, 'credential')}${cut}\n`;
}

export function formatSelf({ actor, role, from, via, rights, credential }: Self, nowMs: number): string {
  const by = credential === undefined ? '' : ` ${credential.id}, ends ${formatAge(credential.notAfterMs, nowMs)}`;
  const mine = rights.filter((one) => one.mine);
  const width = Math.max(...mine.map(({ right }) => right.length));
  const may = mine.map(
    ({ right, purpose }, index) => `${index === 0 ? 'may: ' : '     '}  ${right.padEnd(width)}  ${purpose}`,
  );
  return `you:   ${actor}, role ${role}\nfrom:  ${from}, by ${via}${by}\n${may.join('\n')}\n`;
}
