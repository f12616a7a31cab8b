/** Bounds of the column codec. The encoder stays inside them, the decoder refuses what is outside before it allocates. */

export const maxBatchRows = 1024;
/** Payload bytes of one decoded batch. */
export const maxBatchPayloadBytes = 4_194_304;
/** Streams that one direction of a connection remembers; at least maxBatchRows, so that any batch fits. */
export const maxStreams = 1024;
/** Columns of one schema; a schema with more travels as opaque payloads. */
export const maxSlots = 64;
/** Records and nullables inside each other. */
export const maxSchemaDepth = 8;
/** Schemas that one direction of a connection keeps state for; rows of any further one travel as opaque payloads. */
export const maxSchemas = 16;

/** Strings that a column remembers between batches. */
export const maxDictionaryStrings = 256;
export const maxDictionaryBytes = 16_384;
/** All dictionaries of one direction of a connection, each string counted as its bytes and … */
export const maxDictionariesBytes = 262_144;
/** … what it takes beside them. */
export const dictionaryStringBytes = 64;

/** Text shorter than this is never compressed. */
export const minCompressBytes = 200;
/** log2 of the largest window that a compressed block may ask its reader for: 4 MiB. */
export const maxWindowLog = 22;

/** Numbers below this size are added and subtracted as doubles; beyond it as 64-bit integers. */
export const maxExact = 2 ** 48;
/** Residuals below this size may be packed; any other column is written plain. */
export const maxResidual = 2 ** 51;
