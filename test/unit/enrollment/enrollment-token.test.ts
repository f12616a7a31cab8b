import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEnrollmentToken, parseEnrollmentToken } from '../../../src/enrollment/enrollment-token.ts';
import { formatRequest, parseRequest } from '../../../src/enrollment/est-message.ts';

const secret = 'A'.repeat(43);
const token = {
  fleetId: 'acme',
  host: 'fleet.example.org',
  port: 7445,
  link: { host: 'fleet.example.org', port: 7443 },
  authorities: [Buffer.from('der')],
  id: 't-1',
  secret,
};

describe('the text of an enrollment token', () => {
  it('is read as it was written, with a line end or without', () => {
    expect(parseEnrollmentToken(`${formatEnrollmentToken(token)}\n`)).toEqual(token);
  });

  it('is refused when a part is missing, without telling the secret', () => {
    const text = formatEnrollmentToken(token);
    for (const bad of ['', 'x', text.slice(1), text.slice(0, -1), `${text}.x`, text.replace('.t-1.', '..')]) {
      let message = '';
      try {
        parseEnrollmentToken(bad);
      } catch (error) {
        message = JSON.stringify(error);
      }
      expect(message).toContain('enrollment-token-malformed');
      expect(message).not.toContain(secret.slice(0, 20));
    }
  });

  it('is read or refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (tail) => {
        expect(() => parseEnrollmentToken(`flotilla-enroll-1.${tail}`)).toThrow('no enrollment token');
      }),
    );
  });
});

describe('a request as the body of EST', () => {
  it('is base64 of DER, and PEM again at the other end', () => {
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${'QUJD'.repeat(16)}\nREVG\n-----END CERTIFICATE REQUEST-----\n`;
    expect(formatRequest(pem)).toBe(`${'QUJD'.repeat(16)}\nREVG\n`);
    expect(parseRequest(formatRequest(pem))).toBe(pem);
    expect(parseRequest(pem)).toBe(pem);
  });

  it('is refused when it is something else', () => {
    expect(() => parseRequest('{"csr":1}')).toThrow('not base64');
  });
});
