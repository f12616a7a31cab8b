/** The last update of its own program that a device was sent, and what became of it by its last word. */
export interface AgentUpdateRow {
  updateId: string;
  release: string;
  version: string;
  bundleUuid: string;
  /** The blob that it may fetch as long as this is under way. */
  sha256: string;
  expiresAtMs: number;
  /** `offered` until the device has said something. */
  state:
    | 'offered'
    | 'downloading'
    | 'installing'
    | 'testing'
    | 'committed'
    | 'rolled-back'
    | 'failed'
    | 'rejected'
    | 'cancelled';
  atMs: number;
  reason?: { code: string; message: string };
}
