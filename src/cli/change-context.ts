import { resolve } from 'node:path';
import {
  contextFilePath,
  readContextFile,
  writeContextFile,
  type Context,
  type ContextFile,
} from '../config/context-file.ts';
import { FlotillaError } from '../error.ts';
import { describeCertificate } from '../pki/certificate.ts';
import { loadAuthorityBundle, loadCertificate } from '../pki/load-identity.ts';
import { readOperatorIdentity } from '../pki/peer-identity.ts';
import { unknownContext } from './find-endpoint.ts';

/** A context as it is shown: what the file says, and who one is there. */
export interface ContextView extends Context {
  name: string;
  current: boolean;
  /** Of the certificate; a token does not say. */
  operator?: { name: string; role: string; notAfterMs: number };
  /** Why it can't be used as it is. */
  problem?: string;
}

export interface ContextDraft {
  host: string;
  port: number;
  ca: string;
  cert?: string | undefined;
  key?: string | undefined;
  tokenFile?: string | undefined;
}

/** Reads the file, changes it, and writes it whole. */
export async function changeContexts(change: (content: ContextFile) => ContextFile): Promise<void> {
  const file = contextFilePath();
  await writeContextFile(file, change(await readContextFile(file)));
}

/** A context with absolute paths, and the fleet that its authority is of. */
export async function contextOf({ host, port, ca, cert, key, tokenFile }: ContextDraft): Promise<Context> {
  if ((cert === undefined) !== (key === undefined)) {
    throw new FlotillaError('usage', 'context-half-certificate', 'a certificate and its key belong together', {
      seen: cert === undefined ? '--key alone' : '--cert alone',
      expected: '--cert FILE --key FILE',
    });
  }
  if (cert !== undefined && tokenFile !== undefined) {
    throw new FlotillaError('usage', 'context-two-credentials', 'a context has a certificate or a token', {
      seen: '--cert and --token-file',
      suggestion: 'make two contexts',
    });
  }
  return {
    host,
    port,
    fleetId: await fleetOf(ca),
    authority: resolve(ca),
    ...(cert === undefined || key === undefined ? {} : { certificate: resolve(cert), key: resolve(key) }),
    ...(tokenFile === undefined ? {} : { tokenFile: resolve(tokenFile) }),
  };
}

/** The one fleet that these authorities are of. */
async function fleetOf(ca: string): Promise<string> {
  const { certificates } = await loadAuthorityBundle(ca);
  const fleets = new Set(certificates.map((certificate) => describeCertificate(certificate).fleetId));
  const [fleetId, other] = [...fleets];
  if (fleetId !== undefined && other === undefined && fleets.size === 1) return fleetId;
  throw new FlotillaError('usage', 'context-not-a-fleet', `${ca} is not the authority of one fleet`, {
    seen: [...fleets].map((fleet) => fleet ?? 'an authority of no fleet').join(', '),
    expected: 'pki/authority.crt of the fleet',
  });
}

export async function viewContext(name: string, context: Context, current: boolean): Promise<ContextView> {
  const view: ContextView = { name, current, ...context };
  if (context.certificate === undefined) return view;
  try {
    const identity = readOperatorIdentity((await loadCertificate(context.certificate)).certificate);
    if (typeof identity === 'string') return { ...view, problem: `${context.certificate}: ${identity}` };
    const { role, notAfterMs } = identity;
    return { ...view, operator: { name: identity.name, role, notAfterMs } };
  } catch (error) {
    return { ...view, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** All of them, by name. */
export async function viewContexts(): Promise<ContextView[]> {
  const { current, contexts } = await readContextFile(contextFilePath());
  const names = Object.keys(contexts).toSorted();
  return Promise.all(names.map((name) => viewContext(name, contexts[name]!, name === current)));
}

/** One of them; the current one when no name is given. */
export async function findContext(name: string | undefined): Promise<ContextView> {
  const views = await viewContexts();
  const found = views.find((view) => (name === undefined ? view.current : view.name === name));
  if (found !== undefined) return found;
  if (name !== undefined) throw unknownContext(name, Object.fromEntries(views.map((view) => [view.name, view])));
  throw new FlotillaError('usage', 'context-none', 'no context is the current one', {
    expected: views.map((view) => view.name).join(', ') || 'none is made yet',
    suggestion: 'flotilla context use NAME',
  });
}
