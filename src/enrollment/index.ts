/**
 * Enrollment: what a device needs to ask for its first certificate (a token), what an operator says of devices before
 * they come (a manifest), and the two ends' common words of EST (RFC 7030).
 */
export * from './enrollment-token.ts';
export * from './enroll-device.ts';
export * from './enroll-folder.ts';
export * from './est-message.ts';
export * from './manifest.ts';
