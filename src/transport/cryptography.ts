import { createPrivateKey } from 'node:crypto';

/** What of TLS 1.3 is offered: each name costs bytes in every handshake. */
interface Cryptography {
  ciphers: string;
  ecdhCurve: string;
  sigalgs: string;
}

/** AES-128 first: its hash is SHA-256, which makes tickets and finished messages smaller than AES-256's SHA-384 does. */
const ciphers = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256';
/** Certificates of the fleet are P-256; a legacy device may bring an RSA key and a chain that RSA has signed. */
const rsaAlgorithms = 'RSA-PSS+SHA256:RSA+SHA256';

export function dialerCryptography(keyPem: string, keyExchange: 'classic' | 'hybrid'): Cryptography {
  const own = createPrivateKey(keyPem).asymmetricKeyType === 'ec' ? '' : `:${rsaAlgorithms}`;
  return {
    ciphers,
    ecdhCurve: keyExchange === 'classic' ? 'X25519' : 'X25519MLKEM768:X25519',
    sigalgs: `ECDSA+SHA256${own}`,
  };
}

/** The device chooses by what it offers; P-256 is for those whose hardware has nothing else. */
export function listenerCryptography(keyExchange: 'classic' | 'hybrid'): Cryptography & { honorCipherOrder: boolean } {
  const classic = 'X25519:prime256v1';
  return {
    ciphers: `${ciphers}:TLS_AES_256_GCM_SHA384`,
    honorCipherOrder: true,
    ecdhCurve: keyExchange === 'classic' ? classic : `X25519MLKEM768:${classic}`,
    sigalgs: `ECDSA+SHA256:${rsaAlgorithms}`,
  };
}
