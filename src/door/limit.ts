/** Bounds of the door. Beyond one a program gets an error; nothing is allocated beyond one. */

/** UTF-8 bytes of a line without its end: the largest row in base64 has 1.4 MB. */
export const maxLineBytes = 1_572_864;
/** Programs that are connected at a time. */
export const maxConnections = 64;
/** Publishes of one connection that wait for the disk. */
export const maxInFlight = 256;
/** Rows of one publish. */
export const maxRows = 1_000;
/** Lines that are no request; the last of so many ends the connection. */
export const maxBadLines = 3;
/** Arrays and objects inside each other in a value. */
export const maxDepth = 64;
/** Configuration documents of one device. */
export const maxDocuments = 256;
/** UTF-8 bytes of a document or of a reply, as JSON, with what is told around it. */
export const maxFactBytes = 262_144;
/** Types of requests that the programs of one device take. */
export const maxRequestTypes = 256;
/** Past updates that are kept on the device. */
export const maxUpdates = 100;
/** Of one deferral; the owner's limit is usually lower. */
export const maxDeferSeconds = 90 * 86_400;
