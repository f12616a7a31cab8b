/**
 * The contract between the CLI and the coordinator's API: schemas of requests (the API validates with them) and types
 * of replies. Errors travel as `{ error: ErrorDocument }` with a 4xx or 5xx status; `fault` decides the exit code.
 */
export * from './agent-update.ts';
export * from './authority.ts';
export * from './audit.ts';
export * from './certificate.ts';
export * from './config.ts';
export * from './consumer.ts';
export * from './dead-letter.ts';
export * from './device.ts';
export * from './enrollment.ts';
export * from './event.ts';
export * from './group.ts';
export * from './job.ts';
export * from './job-action.ts';
export * from './operator.ts';
export * from './product-request.ts';
export * from './release.ts';
export * from './revocation-list.ts';
export * from './renewal.ts';
export * from './rollout.ts';
export * from './rollout-action.ts';
export * from './rollout-device-state.ts';
export * from './rollout-plan.ts';
export * from './rollout-policy.ts';
export * from './rollout-recording.ts';
export * from './rollout-report.ts';
export * from './schedule.ts';
export * from './schema.ts';
export * from './select.ts';
export * from './status.ts';
export * from './update-record.ts';
export * from './why.ts';
