/**
 * The only files that touch sockets: TLS 1.3 with certificates on both sides (tls-listener.ts, tls-dialer.ts), a pair
 * in memory for tests, and the channel between our own processes.
 */
export type { ByteStream, StreamReceiver, StreamTraffic } from './byte-stream.ts';
export {
  createTlsListener,
  type RefusalReason,
  type TlsListener,
  type TlsListenerOption,
  type TlsMaterial,
} from './tls-listener.ts';
export { dialTls, type TlsDialOption } from './tls-dialer.ts';
export { createMemoryPair, type MemoryPair } from './memory-pair.ts';
export { Channel } from './channel.ts';
export { alpnProtocol } from './alpn.ts';
