/** What certificates, keys, requests, revocation lists and PKCS#12 say, for people and scripts. */
export * from './document.ts';
export { type InspectInput, formatMode, inspect } from './inspect.ts';
