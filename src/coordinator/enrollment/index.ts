/** Who may be let in by a token, a manifest or a known key: pure rules, told one by one. */
export * from './judge-enrollment.ts';
export * from './bound-grain.ts';
