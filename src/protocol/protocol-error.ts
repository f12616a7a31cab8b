import { FlotillaError, type ErrorDetail } from '../error.ts';

export type ProtocolErrorCode =
  | 'frame-type' // a type that does not exist, is reserved, or may not come now
  | 'frame-length' // longer than its type allows, or not the shortest form
  | 'frame-short' // the body ends inside a field
  | 'frame-trailing' // bytes after the last field
  | 'varint' // too long, too large, or not the shortest form
  | 'text' // not UTF-8, too long, or empty where it may not be
  | 'value' // a field outside its range
  | 'stream' // a row of a stream that was never defined, a definition that is not front-coded
  | 'schema' // columns of a schema that was never told
  | 'lane' // a row of a lane that is closed to this device, or beyond its credit
  | 'sequence' // an ACK of something not sent, a number that runs over
  | 'chunk'; // data that nobody asked for, a WANT out of bounds

/** The peer broke the protocol: costs its connection, never the process. */
export class ProtocolError extends FlotillaError {
  constructor(code: ProtocolErrorCode, message: string, detail: ErrorDetail = {}) {
    super('failed', `protocol-${code}`, message, detail);
    this.name = 'ProtocolError';
  }
}
