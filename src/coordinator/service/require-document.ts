import { FlotillaError } from '../../error.ts';

/** JSON text of a document: what a request to a device may carry. */
const maxDocumentBytes = 131_072;

/** @throws FlotillaError when a document of settings can't be sent */
export function requireDocument(document: unknown): void {
  const bytes = document === undefined ? 0 : Buffer.byteLength(JSON.stringify(document));
  if (bytes > 0 && bytes <= maxDocumentBytes) return;
  throw new FlotillaError('usage', 'config-document-size', 'this document can not be sent to a device', {
    seen: bytes === 0 ? 'no document' : `${bytes} bytes of JSON`,
    expected: `1 to ${maxDocumentBytes} bytes of JSON`,
  });
}
