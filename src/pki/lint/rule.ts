import type { CertificateDocument } from '../inspect/document.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import type { Told } from './finding.ts';

export interface RuleInput {
  content: CertificateContent;
  /** What it is in a fleet, or `authority` for another CA. */
  role: CertificateDocument['role'] | 'authority';
  nowMs: number;
  /** A certificate that ends within this many days is told. */
  soonDays: number;
}

/** Takes what was decoded and says what it finds; never throws, and knows no time but the one it is given. */
export type Rule = (input: RuleInput) => Told[];
