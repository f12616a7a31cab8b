import { FlotillaError, systemErrorCode } from '../error.ts';
import { formatAddress, type RemoteEndpoint } from './remote-endpoint.ts';

/** How far a connection had come when it failed. */
export interface Progress {
  /** The coordinator had proved who it is. */
  trusted: boolean;
  /** Its answer had begun. */
  answered: boolean;
}

/** OpenSSL's and node's reasons for not believing a server. */
const untrustedPattern =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED|CERT_|ERR_TLS_CERT_|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|ERR_SSL_CERTIFICATE_VERIFY_FAILED|HOSTNAME_MISMATCH)/;

/** What a connection over the unix socket that failed means. */
export function localFailure(socketPath: string, cause: unknown): FlotillaError {
  const code = systemErrorCode(cause);
  if (code === 'EACCES') {
    return new FlotillaError('forbidden', 'socket-forbidden', 'you may not talk to this coordinator', {
      seen: `no permission on ${socketPath}`,
      suggestion: 'run as the user who started the coordinator',
      cause,
    });
  }
  return new FlotillaError('unreachable', 'coordinator-unreachable', 'the coordinator does not answer', {
    seen: `${code ?? 'connection lost'} on ${socketPath}`,
    expected: 'a running coordinator',
    suggestion: 'flotilla coordinator start --detach',
    cause,
  });
}

/** What a connection over TLS that failed means: it is not there, it is another one, or it does not want us. */
export function remoteFailure(endpoint: RemoteEndpoint, progress: Progress, cause: unknown): FlotillaError {
  const address = formatAddress(endpoint);
  const code = systemErrorCode(cause) ?? 'connection lost';
  if (!progress.trusted && untrustedPattern.test(code)) {
    return new FlotillaError('refused', 'coordinator-untrusted', 'this is not the coordinator that you trust', {
      seen: `${code} from ${address}`,
      expected: `a certificate for ${endpoint.serverName} that the authority of this context has issued`,
      suggestion: 'compare --ca of the context with pki/authority.crt of the fleet; nothing was sent',
      cause,
    });
  }
  // In TLS 1.3 the client is done before the server has judged its certificate: the verdict is the end of the connection.
  if (progress.trusted && !progress.answered && endpoint.credential.kind === 'certificate') {
    return new FlotillaError('forbidden', 'certificate-refused', 'the coordinator does not take your certificate', {
      seen: `${code} from ${address}, after the handshake`,
      expected: 'a certificate of an operator of this fleet that has not expired',
      suggestion: 'flotilla context show tells what you have; an admin gives another with flotilla operator add',
      cause,
    });
  }
  return new FlotillaError('unreachable', 'coordinator-unreachable', 'the coordinator does not answer', {
    seen: `${code} from ${address}`,
    expected: 'a running coordinator with api: listen: in its coordinator.yaml',
    suggestion: 'check the address with flotilla context show, and the coordinator with flotilla doctor where it runs',
    cause,
  });
}
