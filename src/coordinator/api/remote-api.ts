import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { CoordinatorConfig } from '../../config/index.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { Log } from '../../log.ts';
import { withIssuer } from '../../transport/certificate-chain.ts';
import { trustedAuthorities } from '../core/authority-operation.ts';
import { findCredential, judgeCredential } from '../operator/judge-credential.ts';
import { addressKey } from '../operator/rate-limit.ts';
import type { ApiListen, ServiceContext } from '../service/context.ts';
import type { Api } from './api.ts';
import { createApp } from './app.ts';
import { createAuthenticate, proveByCertificate, proveByToken } from './authenticate.ts';
import { cost, createLimits, type RemoteLimits } from './remote-limit.ts';

export interface RemoteApi extends Api {
  readonly listen: ApiListen;
}

const handshakeTimeoutMs = 10_000;
const headersTimeoutMs = 10_000;
const keepAliveTimeoutMs = 75_000;
/** Of TCP: a peer behind a network that has gone is found out. */
const probeAfterMs = 60_000;
/** Credentials that end by themselves are found out within this. */
const sweepEveryMs = 1_000;
/** So that a stream can still say why it ends. */
const cutAfterMs = 250;

/**
 * The API for operators elsewhere, on a port for certificates and one for tokens. Two ports, so that no listener ever
 * bears a certificate that does not verify: the one takes nobody without, the other asks for none.
 */
export async function startRemoteApi(
  context: ServiceContext,
  config: CoordinatorConfig['api'],
  log: Log,
): Promise<RemoteApi> {
  const undo = new AsyncDisposableStack();
  const limits = createLimits(config);
  const listen: ApiListen = {};
  try {
    if (config.listen !== undefined || config.tokenListen !== undefined) undo.defer(watchCredentials(context));
    const open = { context, config, limits, log };
    if (config.listen !== undefined) listen.certificate = await openPort(undo, 'certificate', config.listen, open);
    if (config.tokenListen !== undefined) listen.token = await openPort(undo, 'token', config.tokenListen, open);
    return { listen, close: () => undo.disposeAsync() };
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
}

interface Opening {
  context: ServiceContext;
  config: CoordinatorConfig['api'];
  limits: RemoteLimits;
  log: Log;
}

async function openPort(
  undo: AsyncDisposableStack,
  kind: 'certificate' | 'token',
  { host, port }: { host: string; port: number },
  { context, config, limits, log }: Opening,
): Promise<{ host: string; port: number }> {
  const closing = new AbortController();
  const servers: Server[] = [];
  const app = createApp({
    context,
    closing: closing.signal,
    log,
    authenticate: createAuthenticate(
      context,
      limits,
      kind === 'certificate' ? proveByCertificate(context) : proveByToken(context),
    ),
    createServer(handler) {
      const server = createTlsServer(kind, context, handler);
      server.maxConnections = config.maxConnections;
      admitByAddress(server, limits, context.clock.monotonicMs);
      server.on('tlsClientError', (error) => log.debug({ code: systemErrorCode(error) }, 'a handshake failed'));
      servers.push(server);
      undo.defer(followCertificates(server, context));
      return server;
    },
  });
  undo.defer(async () => {
    closing.abort();
    const closed = app.close();
    for (const server of servers) server.closeIdleConnections();
    await closed;
  });
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const key = kind === 'certificate' ? 'listen' : 'tokenListen';
    throw new FlotillaError('usage', 'api-listen', `the API can't listen on ${host}:${port}`, {
      seen: systemErrorCode(cause) ?? String(cause),
      suggestion: `set another address in api: ${key}: of coordinator.yaml`,
      cause,
    });
  }
  return { host, port: (app.server.address() as AddressInfo).port };
}

/** TLS 1.3 alone. For certificates: one that our authority has issued, or no connection. */
function createTlsServer(
  kind: 'certificate' | 'token',
  context: ServiceContext,
  handler: (request: IncomingMessage, response: never) => void,
): Server {
  const server = createServer(
    {
      ...certificatesOf(context),
      ...(kind === 'certificate' ? { requestCert: true, rejectUnauthorized: true } : {}),
      sessionIdContext: kind,
      handshakeTimeout: handshakeTimeoutMs,
      headersTimeout: headersTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 5_000,
      requestTimeout: 0, // a bundle may take its time
      keepAlive: true,
      keepAliveInitialDelay: probeAfterMs,
    },
    handler as never,
  );
  return server;
}

/** What the coordinator shows, and what vouches for operators: the fleet's own authorities and no registered one. */
function certificatesOf({ authorities, core }: ServiceContext) {
  const { keyPem, certificatePem } = authorities.own;
  const own = trustedAuthorities(core.state).filter(({ registration }) => registration === undefined);
  const ca = own.map(({ pem }) => pem).join('') + authorities.rootPem;
  return { key: keyPem, cert: withIssuer(certificatePem, ca), ca, minVersion: 'TLSv1.3' } as const;
}

/** New connections are judged by the authorities of now; those that live by their row, at every request. */
function followCertificates(server: Server, context: ServiceContext): () => void {
  const refresh = (): void => server.setSecureContext(certificatesOf(context));
  const unfollow = [
    context.authorities.onCertificate(refresh),
    context.core.subscribe(({ kind }) => (kind === 'authority' ? refresh() : undefined)),
  ];
  return () => {
    for (const stop of unfollow) stop();
  };
}

/** Before a byte of TLS is computed: an address that has used up its share, or has failed too often, is not answered. */
function admitByAddress(server: Server, { address: limiter }: RemoteLimits, nowMs: () => number): void {
  const beginTls = server.listeners('connection') as ((raw: Socket) => void)[];
  const proved = new WeakSet<Socket>();
  /** By address and port: a TLSSocket does not say which socket it wraps. */
  const raws = new Map<string, Socket>();
  const placeOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.removeAllListeners('connection');
  server.on('connection', (raw: Socket) => {
    const place = placeOf(raw);
    const key = addressKey(raw.remoteAddress ?? 'unknown');
    if (limiter.level(key, nowMs()) < 0) return void raw.resetAndDestroy();
    limiter.charge(key, cost.handshake, nowMs());
    raws.set(place, raw);
    raw.once('close', () => {
      raws.delete(place);
      // No name, a wrong certificate, no TLS at all. Who only knocks (a health check) pays as for a handshake.
      if (!proved.has(raw)) limiter.charge(key, raw.bytesRead > 0 ? cost.failure : cost.handshake, nowMs());
    });
    for (const begin of beginTls) begin.call(server, raw);
  });
  server.on('secureConnection', (socket: Socket) => {
    const raw = raws.get(placeOf(socket));
    if (raw !== undefined) proved.add(raw);
  });
}

/** Ends what is open with a credential that is refused now: at once when it is revoked, soon when it has run out. */
function watchCredentials({ core, clock, connections }: ServiceContext): () => void {
  const refusalOf = (id: string): FlotillaError | undefined => {
    try {
      const held = findCredential(core.state, id);
      if (held === undefined) throw new FlotillaError('forbidden', 'operator-unknown', 'you are no operator any more');
      judgeCredential({ ...held, credential: withoutUses(held.credential) }, clock.nowMs());
      return undefined;
    } catch (error) {
      if (error instanceof FlotillaError) return error;
      throw error;
    }
  };
  const cuts = new Set<() => void>();
  const sweep = (): void =>
    connections.sweep(refusalOf, (cut) => {
      const cancel = clock.schedule(cutAfterMs, () => {
        cuts.delete(cancel);
        cut();
      });
      cuts.add(cancel);
    });
  let cancelTick: () => void;
  const tick = (): void => {
    cancelTick = clock.schedule(sweepEveryMs, () => {
      sweep();
      tick();
    });
  };
  tick();
  const unsubscribe = core.subscribe(({ kind }) => {
    if (kind === 'operator') sweep();
  });
  return () => {
    unsubscribe();
    cancelTick();
    for (const cancel of cuts) cancel();
  };
}

/** The last use of a token may still be under way. */
function withoutUses<T extends { usesLeft?: number }>({ usesLeft: _, ...credential }: T): Omit<T, 'usesLeft'> {
  return credential;
}
