/**
 * Batches by column: rows of an event log in few bytes, by what their schema says about them. Pure bytes; what one
 * direction of a connection remembers stands in LinkState. docs/protocol-columns.md is the text for readers.
 */
export * from './limit.ts';
export { columnSchema, type ColumnSchema } from './schema.ts';
export { LinkState, UnknownSchema, type SchemaSource } from './link-state.ts';
export { BatchEncoder, BatchWorkspace, defaultPacking, type Packing } from './batch-encoder.ts';
export { BatchDecoder, BatchDecoderWorkspace } from './batch-decoder.ts';
export { EventEncoder } from './event-encoder.ts';
export { EventDecoder } from './event-decoder.ts';
