/** PEM (RFC 7468) found in a text, in one pass: labels, their bodies, and nothing that runs away on odd input. */
import { FlotillaError } from '../../error.ts';

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, … */
  label: string;
  der: Buffer;
  /** The headers of old encrypted keys: `Proc-Type: 4,ENCRYPTED`. */
  headers: string[];
  /** From BEGIN to END. */
  text: string;
}

const begin = '-----BEGIN ';
const dashes = '-----';
const maxBlocks = 4096;
const maxLabelLength = 64;
const bodyPattern = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

/** Every block of a text; what stands between them is ignored. */
export function readPemBlocks(text: string, source: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let at = text.indexOf(begin); at >= 0;) {
    if (blocks.length === maxBlocks) throw malformed(source, `more than ${maxBlocks} blocks`);
    const labelEnd = text.indexOf(dashes, at + begin.length);
    const label = text.slice(at + begin.length, labelEnd);
    if (labelEnd < 0 || label.length > maxLabelLength || label.includes('\n')) {
      throw malformed(source, 'a BEGIN line that does not end');
    }
    const end = `-----END ${label}-----`;
    const bodyStart = labelEnd + dashes.length;
    const bodyEnd = text.indexOf(end, bodyStart);
    if (bodyEnd < 0) throw malformed(source, `BEGIN ${label} without its END: the file is cut off`);
    const { headers, der } = readBody(text.slice(bodyStart, bodyEnd), label, source);
    blocks.push({ label, headers, der, text: text.slice(at, bodyEnd + end.length) });
    at = text.indexOf(begin, bodyEnd + end.length);
  }
  return blocks;
}

function readBody(body: string, label: string, source: string): Pick<PemBlock, 'headers' | 'der'> {
  const lines = body.split(/\r?\n/);
  const headers = lines.filter((line) => line.includes(':'));
  const base64 = lines.filter((line) => !line.includes(':')).join('');
  if (!bodyPattern.test(base64)) throw malformed(source, `characters in ${label} that are not Base64`);
  return { headers, der: Buffer.from(base64, 'base64') };
}

function malformed(source: string, seen: string): FlotillaError {
  return new FlotillaError('usage', 'pki-pem-malformed', `${source} is no PEM that can be read`, {
    seen,
    expected: 'blocks from -----BEGIN …----- to -----END …-----',
    suggestion: 'take the file again from where it was made',
  });
}
