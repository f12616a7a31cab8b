export type RuleResult = 'ok' | 'waits' | 'already' | 'reject' | 'cancel';

export interface OfferRule {
  rule: string;
  result: RuleResult;
  /** For a person, with the numbers. */
  detail: () => string;
}

export function rule(name: string, result: RuleResult, detail: () => string): OfferRule {
  return { rule: name, result, detail };
}
