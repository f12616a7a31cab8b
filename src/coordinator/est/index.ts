/**
 * EST (RFC 7030): how devices that are not here yet, and devices that are not ours, get certificates over HTTPS. A
 * listener of its own, TLS 1.3, without the agent protocol behind it.
 */
export { startEst, type Est, type EstOption } from './est-listener.ts';
