import { constants, createPrivateKey } from 'node:crypto';

/** What of TLS 1.3 is offered: each name costs bytes in every handshake. */
interface Cryptography {
  ciphers: string;
  ecdhCurve: string;
  sigalgs: string;
}

/** AES-128 first: its hash is SHA-256, which makes tickets and finished messages smaller than AES-256's SHA-384 does. */
const ciphers = 'TLS_AES_128_GCM_SHA256';
/** Certificates of the fleet are P-256; a legacy device may bring an RSA key and a chain that RSA has signed. */
const rsaAlgorithms = 'RSA-PSS+SHA256:RSA+SHA256';
/** Extensions of TLS 1.2, which is never spoken here: four bytes each in a hello. No encrypt-then-MAC, no extended master secret. */
const withoutOlder = constants.SSL_OP_NO_ENCRYPT_THEN_MAC | 1;

export function dialerCryptography(
  keyPem: string,
  keyExchange: 'classic' | 'hybrid',
): Cryptography & { secureOptions: number } {
  const own = createPrivateKey(keyPem).asymmetricKeyType === 'ec' ? '' : `:${rsaAlgorithms}`;
  return {
    ciphers,
    ecdhCurve: keyExchange === 'classic' ? 'X25519' : 'X25519MLKEM768:X25519',
    sigalgs: `ECDSA+SHA256${own}`,
    secureOptions: withoutOlder,
  };
}

/**
 * The device chooses by the order of what it offers. X25519 stands first all the same: a server whose favourite is
 * another one says so in every handshake, in 12 bytes. P-256 is for devices whose hardware has nothing else.
 */
export function listenerCryptography(keyExchange: 'classic' | 'hybrid', hasForeignAuthority: boolean): Cryptography {
  // Keys of the fleet's own devices never need the longer hash: its name is two bytes of each first handshake.
  const longer = hasForeignAuthority ? ':ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384' : '';
  return {
    ciphers: `${ciphers}:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384`,
    ecdhCurve: keyExchange === 'classic' ? 'X25519:prime256v1' : 'X25519:X25519MLKEM768:prime256v1',
    sigalgs: `ECDSA+SHA256:${rsaAlgorithms}${longer}`,
  };
}
