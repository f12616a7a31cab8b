/** The typed client of the coordinator's API, and the contract that both sides share. */
export * from './contract/index.ts';
export { CoordinatorClient } from './coordinator-client.ts';
export { HttpConnection, type Query } from './http-connection.ts';
export { formatAddress, type RemoteEndpoint } from './remote-endpoint.ts';
