import { connect, type TLSSocket } from 'node:tls';
import type { DevicePems } from '../../support/link-bench.ts';

/** A connection to a broker, under the same TLS as ours. */
export function connectTls(
  port: number,
  serverName: string,
  pems: DevicePems,
  onData: (bytes: Buffer) => void,
  onFailed: (reason: string) => void,
): TLSSocket {
  const socket = connect({
    host: '127.0.0.1',
    port,
    servername: serverName,
    key: pems.keyPem,
    cert: pems.certificatePem,
    ca: pems.authorityPem,
    minVersion: 'TLSv1.3',
    ecdhCurve: 'X25519',
  });
  socket.setNoDelay(true);
  socket.on('data', onData);
  socket.on('error', (error) => onFailed(error.message));
  return socket;
}
