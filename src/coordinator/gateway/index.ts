/**
 * Gateways: child processes that hold the devices' connections (gateway.ts), the pool that runs them for the core
 * (pool.ts), and the narrow port between the two (port.ts).
 */
export { createGatewayPool } from './pool.ts';
export {
  defaultGatewayLimits,
  type GatewayLimits,
  type GatewayPool,
  type GatewayPoolOption,
  type GatewayTls,
} from './pool-option.ts';
export type { Connect, ConnectionId, GatewayHandler, GatewayPort, PeerIdentity, RefuseCode, Traffic } from './port.ts';
