import type { RemoteEndpoint } from '../client/remote-endpoint.ts';
import type { Context } from '../config/context-file.ts';
import { FlotillaError } from '../error.ts';
import { loadAuthorityBundle, loadIdentity } from '../pki/load-identity.ts';
import { readOperatorIdentity } from '../pki/peer-identity.ts';
import { coordinatorServerName } from '../pki/profile.ts';
import { readSecretFile } from '../pki/secret-file.ts';

const tokenPattern = /^[\x21-\x7e]{16,512}$/;

/** Reads what a context names, and says what is wrong with it before anything is dialed. */
export async function openContext(context: Context, nowMs: number = Date.now()): Promise<RemoteEndpoint> {
  const { host, port, fleetId } = context;
  const { pem: authorityPem } = await loadAuthorityBundle(context.authority);
  const serverName = coordinatorServerName(fleetId);
  return { host, port, serverName, authorityPem, credential: await openCredential(context, nowMs) };
}

async function openCredential(context: Context, nowMs: number): Promise<RemoteEndpoint['credential']> {
  const { certificate: certificateFile, key: keyFile, tokenFile } = context;
  if (certificateFile === undefined || keyFile === undefined) {
    return { kind: 'token', token: await readToken(tokenFile) };
  }
  const { certificatePem, certificate, privateKey } = await loadIdentity({ certificateFile, keyFile });
  const identity = readOperatorIdentity(certificate);
  if (typeof identity === 'string' || identity.fleetId !== context.fleetId) {
    throw new FlotillaError('usage', 'context-not-an-operator', `${certificateFile} is no operator's certificate`, {
      seen: typeof identity === 'string' ? identity : `an operator of ${identity.fleetId}`,
      expected: `a certificate that flotilla operator add made for ${context.fleetId}`,
    });
  }
  if (nowMs > identity.notAfterMs) {
    throw new FlotillaError('forbidden', 'certificate-expired', `${certificateFile} has expired`, {
      seen: `it ended ${new Date(identity.notAfterMs).toISOString()}`,
      suggestion: `ask an admin for another one: flotilla operator add ${identity.name}`,
    });
  }
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { kind: 'certificate', certificatePem, keyPem };
}

/** From FLOTILLA_TOKEN, else from the file: never from a command line, which every user of the machine may see. */
async function readToken(file: string | undefined): Promise<string> {
  const fromEnvironment = process.env['FLOTILLA_TOKEN'];
  const token = fromEnvironment || (file === undefined ? '' : (await readSecretFile(file)).toString('utf8').trim());
  if (tokenPattern.test(token)) return token;
  throw new FlotillaError('usage', 'token-not-given', 'this context needs a token and there is none', {
    seen: token === '' ? 'nothing' : 'a text that is no token',
    expected: file === undefined ? 'FLOTILLA_TOKEN in the environment' : `a token in ${file}, or in FLOTILLA_TOKEN`,
    suggestion: 'an admin makes one with flotilla operator add NAME --role ROLE --token',
  });
}
