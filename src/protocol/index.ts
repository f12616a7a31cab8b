/**
 * The wire: pure bytes. Frames (frame.ts) carry messages (message.ts; bytes in encode.ts and decode.ts), rows of event
 * logs are made small by columns/, through row-encoder.ts and row-decoder.ts, every bound stands in limit.ts. docs/protocol.md is the text for readers.
 */
export * from './limit.ts';
export * from './lane.ts';
export * from './message.ts';
export { FrameDecoder, FrameType, maxBodyBytes, writeFrame, type Frame } from './frame.ts';
export { encodeMessage, writeMessage } from './encode.ts';
export { decodeMessage } from './decode.ts';
export { rowFault } from './row-fault.ts';
export { RowEncoder } from './row-encoder.ts';
export { RowDecoder, UnknownSchema } from './row-decoder.ts';
export { ProtocolError, type ProtocolErrorCode } from './protocol-error.ts';
export { ByteReader } from './byte-reader.ts';
export { ByteWriter } from './byte-writer.ts';
