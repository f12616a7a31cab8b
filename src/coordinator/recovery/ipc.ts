/** What core and recovery process say to each other: JSON in the frames of a Channel. `ready` and `failed` are a gateway's. */
import type { LogLevel } from '../../log.ts';
import type { PeerIdentity } from '../gateway/port.ts';

export const ToRecoveryCore = { ask: 65, refused: 66 } as const;
export const ToRecovery = { answer: 65, trust: 66 } as const;

export interface RecoveryConfig {
  fleetId: string;
  listen: { host: string; port: number };
  tls: { keyFile: string; certificateFile: string };
  trust: TrustDocument;
  maxExpiredMs: number;
  logLevel: LogLevel;
  logDestination: string | 2;
}

/** PEM. */
export interface TrustDocument {
  roots: string[];
  /** Every issuing authority of the fleet whose key nobody else has. */
  issuing: { id: string; pem: string; retiredAtMs?: number }[];
}

export interface AskDocument {
  id: number;
  identity: PeerIdentity;
  /** DER in base64. */
  csr: string;
  address: string;
}

/** DER in base64. */
export type AnswerDocument = { id: number } & (
  | { kind: 'issued'; certificate: string; authorities: string[] }
  | { kind: 'refused' }
  | { kind: 'later'; retryAfterSeconds: number }
);
