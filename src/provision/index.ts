/** First contact: a fleet in its folder, and what makes a bare machine a device of it. */
export { type CreateFleetOption, type CreatedFleet, checkFleetTarget, createFleet } from './create-fleet.ts';
export { createFleetId } from './fleet-id.ts';
export { renderAgentConfig } from './render-agent-config.ts';
export { parseProvisionManifest, type HostEntry } from './provision-manifest.ts';
export { provisionHost, type HostReport, type HostTask, type ProvisionContext } from './provision-host.ts';
export { verifyHost, type HostCheck } from './verify-host.ts';
export { removeHost, type RemovedHost } from './remove-host.ts';
export { formatGrains, type Wanted } from './host/installed-state.ts';
export { Parcel, parcelFolder } from './host/upload.ts';
export { findAgentFile } from './host/find-agent-file.ts';
export { HostKeys, type Place } from './ssh/host-key.ts';
export { meetHost } from './ssh/meet-host.ts';
export { isEncryptedKey, readPrivateKey, type PrivateKey } from './ssh/private-key.ts';
export { parseTarget } from './ssh/target.ts';
export { SshSession, type SshCredential, type SshTarget } from './ssh/ssh-session.ts';
export { findRuntime, runtimeCacheDirectory, type FoundRuntime, type RuntimeTarget } from './runtime/find-runtime.ts';
