import type { CertificateFinding } from '../../pki/lint/finding.ts';
import { plural } from '../human.ts';
import { paint, type Style } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';
import { wrap } from '../wrap.ts';

const styles: Record<CertificateFinding['severity'], Style> = { error: 'red', warning: 'yellow', advice: 'cyan' };

/** A block for each finding, and the count of each severity. */
export function formatCertificateFindings(findings: readonly CertificateFinding[], option: TableOption = {}): string {
  const color = option.color ?? false;
  const blocks = findings.map(({ code, severity, where, seen, why, mend }) => {
    const head = `${paint(styles[severity], severity, color)} ${paint('bold', code, color)}  ${printable(where)}`;
    const line = (name: string, text: string) =>
      wrap(printable(text), (option.width ?? Number.POSITIVE_INFINITY) - 8)
        .map((part, at) => `  ${(at === 0 ? name : '').padEnd(6)}${part}\n`)
        .join('');
    return `${head}\n${line('seen', seen)}${line('why', why)}${line('do', mend)}`;
  });
  const count = (wanted: CertificateFinding['severity']) =>
    findings.filter(({ severity }) => severity === wanted).length;
  const [errors, warnings, advice] = [count('error'), count('warning'), count('advice')];
  const summary = findings.length === 0 ? 'nothing to find fault with' : `${plural(errors, 'error')}, ${plural(warnings, 'warning')}, ${plural(advice, 'piece')} of advice`; // prettier-ignore
  return `${[...blocks, ''].join('\n')}${summary}\n`;
}
