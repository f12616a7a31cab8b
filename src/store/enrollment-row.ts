/** Rows of enrollment: plain data that survives a structured clone. */

/** Lets devices in until it ends, is used up, or is revoked. Of the secret only its hash is kept. */
export interface EnrollmentTokenRow {
  id: string;
  /** Hex. */
  secretSha256: string;
  createdAtMs: number;
  createdBy: string;
  expiresAtMs: number;
  maxUses: number;
  uses: number;
  lastUsedAtMs?: number;
  revokedAtMs?: number;
  /** GLOB over device ids. */
  idPattern?: string;
  /** Of the devices that it lets in. */
  state: 'accepted' | 'pending';
  tags: Record<string, string>;
  /** Grains that they may report with this value only. */
  grains: Record<string, string>;
  note?: string;
}

/** What an operator has said of a device before it has come. */
export interface PreregistrationRow {
  deviceId: string;
  hardwareSerial?: string;
  /** SHA-256 of its public key, hex. */
  keySha256?: string;
  tags: Record<string, string>;
  grains: Record<string, string>;
  pending?: true;
  createdAtMs: number;
  createdBy: string;
  enrolledAtMs?: number;
}

/** Grains that a device may report with these values only. */
export interface BoundGrainRow {
  deviceId: string;
  grains: Record<string, string>;
}
