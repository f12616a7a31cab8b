/** The operations of EST that are served: cacerts, csrattrs, simpleenroll, simplereenroll (RFC 7030, section 4). */
import type { X509Certificate } from 'node:crypto';
import { certificatesType, estPath, formatCertificates, parseRequest } from '../../enrollment/est-message.ts';
import { FlotillaError } from '../../error.ts';
import { enroll, type EnrollRequest } from '../service/enroll-service.ts';
import { reenroll } from '../service/reenroll-service.ts';
import type { ServiceContext } from '../service/context.ts';

export interface EstQuestion {
  method: string;
  path: string;
  body: string;
  authorization: string | undefined;
  /** One that TLS has verified against our authorities. */
  certificate: X509Certificate | undefined;
  address: string;
}

export interface EstAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const operations = { cacerts: 'GET', csrattrs: 'GET', simpleenroll: 'POST', simplereenroll: 'POST' } as const;
type Operation = keyof typeof operations;

export async function answerEst(context: ServiceContext, question: EstQuestion): Promise<EstAnswer> {
  switch (operationOf(question)) {
    case 'cacerts':
      return certificates(splitPem(context.issuing.bundlePem));
    case 'csrattrs':
      // No attribute is asked for: what a certificate holds is decided here (RFC 7030, section 4.5.2).
      return { status: 204, headers: {}, body: '' };
    case 'simpleenroll': {
      const { authorization, address, body } = question;
      const reply = await enroll(context, {
        csr: parseRequest(body),
        credentials: readCredentials(authorization),
        address,
      });
      if ('certificatePem' in reply) return certificates([reply.certificatePem]);
      // Not decided yet (RFC 7030, section 4.2.3).
      return { status: 202, headers: { 'retry-after': String(Math.ceil(reply.waitSeconds)) }, body: '' };
    }
    case 'simplereenroll': {
      const { certificate, address, body } = question;
      if (certificate === undefined) {
        throw new FlotillaError(
          'forbidden',
          'est-certificate-missing',
          'a renewal needs the certificate that it renews',
          {
            expected: 'the present certificate as TLS client certificate',
          },
        );
      }
      const { certificatePem } = await reenroll(context, { csr: parseRequest(body), certificate, address });
      return certificates([certificatePem]);
    }
  }
}

function operationOf({ method, path }: EstQuestion): Operation {
  const name = path.startsWith(`${estPath}/`) ? path.slice(estPath.length + 1) : '';
  if (!Object.hasOwn(operations, name)) {
    throw new FlotillaError('usage', 'est-operation-unknown', 'there is no such operation here', {
      seen: `${method} ${path.slice(0, 128)}`,
      expected: Object.keys(operations)
        .map((each) => `${estPath}/${each}`)
        .join(', '),
    });
  }
  const operation = name as Operation;
  if (operations[operation] === method) return operation;
  throw new FlotillaError('usage', 'est-method', `${operation} takes ${operations[operation]} only`, { seen: method });
}

function certificates(pems: readonly string[]): EstAnswer {
  const headers = { 'content-type': certificatesType, 'content-transfer-encoding': 'base64' };
  return { status: 200, headers, body: formatCertificates(pems) };
}

/** Id and secret of a token as HTTP's basic authentication carries them (RFC 7617). */
function readCredentials(header: string | undefined): EnrollRequest['credentials'] {
  if (header === undefined) return undefined;
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]{1,512})$/i.exec(header) ?? [];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon > 0) return { id: text.slice(0, colon), secret: text.slice(colon + 1) };
  throw new FlotillaError('forbidden', 'enrollment-unauthorized', 'this is no way to authenticate here', {
    seen: header.split(' ')[0]!.slice(0, 32),
    expected: 'Basic, with id and secret of an enrollment token',
  });
}

function splitPem(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
}
