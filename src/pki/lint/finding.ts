/** What `cert lint` finds: an error makes something fail or unsafe, a warning will or may, advice is a better way. */

export type Severity = 'error' | 'warning' | 'advice';

export interface CertificateFinding {
  severity: Severity;
  /** Stable, kebab-case. */
  code: string;
  /** The file, and which of its objects where it holds several. */
  where: string;
  /** What stands there. */
  seen: string;
  /** What happens because of it. */
  why: string;
  /** What to do. */
  mend: string;
}

/** What a rule says; where it was found is added by whoever runs the rules. */
export type Told = Omit<CertificateFinding, 'where'>;

export function told(severity: Severity, code: string, seen: string, why: string, mend: string): Told {
  return { severity, code, seen, why, mend };
}

/** The mend of most of what is wrong in a certificate: nobody can change a signed one. */
export const reissue = 'issue it again: flotilla cert sign, or flotilla cert issue';
