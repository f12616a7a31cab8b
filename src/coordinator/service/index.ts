/**
 * What an operator can ask for, one file for each noun: every verb is one input of the core, and everything that
 * changes something is audited in the same transaction.
 */
export {
  beginRotation,
  completeRotation,
  renewCoordinator,
  retireAuthority,
  showAuthorities,
  showAuthority,
} from './authority-service.ts';
export * from './audit-service.ts';
export { showAgentUpdate, updateAgents } from './agent-update-service.ts';
export { allowBundle } from './bundle-service.ts';
export * from './certificate-service.ts';
export * from './config-service.ts';
export * from './consumer-service.ts';
export { maxContentBytes, showJobFile, uploadContent } from './content-service.ts';
export { ConsumerStreams } from './consumer-streams.ts';
export { streamConsumer, streamHandler } from './consumer-stream.ts';
export type { IssuingAuthority, ServiceContext } from './context.ts';
export * from './dead-letter-service.ts';
export * from './device-service.ts';
export * from './enrollment-service.ts';
export * from './event-service.ts';
export { followDevices } from './follow-device.ts';
export { followJob } from './follow-job.ts';
export { followRollout } from './follow-rollout.ts';
export * from './group-service.ts';
export * from './job-history-service.ts';
export * from './job-service.ts';
export * from './operator-service.ts';
export * from './product-request-service.ts';
export { createChallenge, registerAuthority, removeAuthority } from './register-service.ts';
export { redactEvents } from './redact-service.ts';
export * from './release-service.ts';
export * from './revocation-list-service.ts';
export * from './replace-service.ts';
export * from './renewal-service.ts';
export { applyRolloutPlan, planRolloutFile } from './rollout-plan-service.ts';
export * from './rollout-report-service.ts';
export * from './rollout-service.ts';
export * from './update-record-service.ts';
export * from './schedule-service.ts';
export * from './schema-service.ts';
export * from './select-service.ts';
export { shutdown } from './shutdown-service.ts';
export { showStatus } from './status-service.ts';
export { resetTime } from './time-service.ts';
export { trimDeadLetters } from './trim-dead-letters.ts';
export { why } from './why-service.ts';
