/**
 * The firmware engine: bundles in fwup's .fw format. `config/` is the configuration language and meta.conf, `archive/`
 * the ZIP, keys and signatures, `apply/` what writes to a disk; `engine.ts` chooses between this and the real fwup.
 */
export { applyBundle, type ApplyOption, type ApplyResult } from './apply/apply.ts';
export { readUbootEnvironment, writeUbootEnvironment } from './apply/uboot-file.ts';
export type { UbootLayout } from './apply/uboot-environment.ts';
export { buildBundle, type BuildOption } from './archive/build.ts';
export type { BundleResource, BundleSummary } from './archive/bundle-summary.ts';
export { inspectBundle } from './archive/inspect.ts';
export { decodePublicKey, generateKeyPair, readPrivateKey, readPublicKey, writeKeyPair } from './archive/key.ts';
export { signBundle, type SignOption } from './archive/sign.ts';
export { verifyBundle, type VerifyOption } from './archive/verify.ts';
