/** Schemas of events: what names one, which may stand beside each other, and how a payload is read by another one. */
export { checkSchema, type Incompatibility, type LabelledSchema } from './compatibility.ts';
export { parseSchema, type EventSchema } from './event-schema.ts';
export { PayloadReader, type ReaderSchema, type SchemaSource, type UnreadPayload } from './payload-reader.ts';
