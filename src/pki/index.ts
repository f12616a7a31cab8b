/**
 * The fleet's certificates: authorities, what they issue, signing requests, and who a certificate names.
 *
 * A process that only reads identities (a gateway, the agent) imports `peer-identity.ts` or `profile.ts` directly:
 * they need node:crypto alone, while signing loads an ASN.1 library.
 */
export * from './authority.ts';
export * from './authority-request.ts';
export * from './certificate.ts';
export * from './certificate-profile.ts';
export * from './create-csr.ts';
export * from './csr.ts';
export {
  type Authority,
  type IssuedPair,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  issueOperatorCertificate,
  signOperatorCertificate,
} from './issue.ts';
export * from './fleet-identity.ts';
export { createKey, encryptPrivateKey, formatPrivateKey } from './key.ts';
export * from './load-identity.ts';
export { parsePrivateKey } from './parse-private-key.ts';
export * from './host.ts';
export * from './name-constraint.ts';
export * from './passphrase.ts';
export * from './key-kind.ts';
export * from './peer-identity.ts';
export * from './profile.ts';
export * from './peer-reader.ts';
export * from './public-key.ts';
export * from './register-authority.ts';
export * from './registered-identity.ts';
export * from './root-export.ts';
export * from './secret-file.ts';
export * from './signed-time.ts';
export { splitPem } from './split-pem.ts';
export * from './time-reset.ts';
