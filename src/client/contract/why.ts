/** `why DEVICE`: every rule in order with its verdict; the first `blocks` is the answer. */
export interface WhyRule {
  rule: string; // known, accepted, certificate, connected, selector, phase, in-flight, quarantine, state, ...
  verdict: 'ok' | 'blocks' | 'unknown';
  detail: string; // with the numbers
}
export interface Why {
  deviceId: string;
  rolloutId?: string;
  release?: string;
  conclusion: string; // one sentence
  rules: WhyRule[];
}
