/** Every bound of the wire. A peer that goes beyond one has made a protocol error; nothing is buffered beyond one. */

/** Body of the largest frame; larger objects travel as CHUNK. */
export const maxFrameBytes = 1_048_576;
/** A row's payload: what the frame leaves after the definition of its stream and its time. */
export const maxPayloadBytes = maxFrameBytes - 512;

/** UTF-8 bytes. */
export const maxTypeBytes = 128;
export const maxKeyBytes = 256;
export const maxAgentVersionBytes = 64;
export const maxDetailBytes = 64;

/** A schema's text in DEFINE; a larger schema has no columns. */
export const maxSchemaBytes = 65_536;
export const maxDefineBytes = maxSchemaBytes + 1_024;

/** Any count, offset or sequence number: exact in a double. */
export const maxSafe = Number.MAX_SAFE_INTEGER;
/** A count or sequence number that shares its varint with a two-bit lane. */
export const maxLaneCount = 2 ** 51 - 1;
/** Milliseconds since 1970, below the year 10889: differences of differences stay exact. */
export const maxTimestampMs = 2 ** 48 - 1;

export const maxExtensions = 16;
export const maxExtensionBytes = 256;

/** A WANT asks for at most this much of a blob. */
export const maxWantBytes = 262_144;
/** WANTs of one connection that may wait for data at a time. */
export const maxWants = 4;
/** Data in one CHUNK: what an urgent frame may have to wait for. */
export const chunkBytes = 4_096;
