/**
 * The wire: pure bytes. Frames (frame.ts) carry messages (message.ts; bytes in encode.ts and decode.ts), rows of event
 * logs are made small by row-codec.ts, every bound stands in limit.ts. docs/protocol.md is the text for readers.
 */
export * from './limit.ts';
export * from './lane.ts';
export * from './message.ts';
export { FrameDecoder, FrameType, maxBodyBytes, writeFrame, type Frame } from './frame.ts';
export { encodeMessage, MessageEncoder } from './encode.ts';
export { decodeMessage } from './decode.ts';
export { RowDecoder, RowEncoder, rowFault } from './row-codec.ts';
export { ProtocolError, type ProtocolErrorCode } from './protocol-error.ts';
export { ByteReader } from './byte-reader.ts';
export { ByteWriter } from './byte-writer.ts';
