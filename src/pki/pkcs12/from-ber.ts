/** BER as DER, by node-forge: PKCS#12 of Windows, NSS and macOS has indefinite lengths and octets in pieces. */
import forge from 'node-forge';
import { malformedDer } from '../der/read-der.ts';

const { Class, Type } = forge.asn1;
const indefinite = 0x80;

/** What does not begin with an indefinite length comes back as it is. */
export function fromBer(bytes: Uint8Array, thing: string): Uint8Array {
  if (bytes[1] !== indefinite) return bytes;
  try {
    const tree = forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(bytes).toString('binary')));
    return Buffer.from(forge.asn1.toDer(joinOctets(tree)).getBytes(), 'binary');
  } catch (error) {
    throw malformedDer(thing, 'its BER', error instanceof Error ? error.message.slice(0, 120) : 'an error');
  }
}

/** Octets in pieces become one; forge bounds the depth when it reads. */
function joinOctets(node: forge.asn1.Asn1): forge.asn1.Asn1 {
  if (!Array.isArray(node.value)) return node;
  const children = node.value.map(joinOctets);
  const isOctets = ({ tagClass, type, value }: forge.asn1.Asn1) =>
    tagClass === Class.UNIVERSAL && type === Type.OCTETSTRING && typeof value === 'string';
  const implicit = node.tagClass === Class.CONTEXT_SPECIFIC && children.length > 1;
  const joined = (isOctetType(node) || implicit) && children.every(isOctets);
  if (!joined) return forge.asn1.create(node.tagClass, node.type, true, children);
  return forge.asn1.create(node.tagClass, node.type, false, children.map(({ value }) => value as string).join(''));
}

function isOctetType({ tagClass, type }: forge.asn1.Asn1): boolean {
  return tagClass === Class.UNIVERSAL && type === Type.OCTETSTRING;
}
