/** A coordinator elsewhere: its API over TLS 1.3, as this operator. */
export interface RemoteEndpoint {
  host: string;
  port: number;
  /** In the coordinator's certificate; the name under which it is reached need not be. */
  serverName: string;
  /** PEM of the authorities that vouch for it. */
  authorityPem: string;
  credential: { kind: 'certificate'; certificatePem: string; keyPem: string } | { kind: 'token'; token: string };
}

export function formatAddress({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
