/**
 * The door: how programs of the product talk to the agent of their device. One JSON object a line over a unix socket;
 * the shapes of requests and answers, the bounds, and a small typed client. docs/guide/door.md is the text for readers
 * who write a client of their own.
 */
export * from './limit.ts';
export * from './request.ts';
export * from './answer.ts';
export { DoorError, errorOfRow, type DoorErrorDocument } from './door-error.ts';
export { LineSplitter } from './line-splitter.ts';
export { openDoor, DoorClient, type DoorOption, type PublishOption } from './door-client.ts';
