/**
 * The firmware engine: bundles in fwup's .fw format. `config/` is the configuration language and meta.conf, `archive/`
 * the ZIP, keys and signatures, `apply/` what writes to a disk, `layout/` a configuration read as a disk, `lint/` what is
 * wrong with one; `engine.ts` chooses between this and the real fwup.
 */
export { applyBundle, buildBundle, engines, inspectBundle, signBundle, verifyBundle, type Engine } from './engine.ts';
export type { ApplyOption, ApplyResult } from './apply/apply.ts';
export { blockExtents, type BlockExtents } from './apply/block-extent.ts';
export { mountPointsOn } from './apply/mount.ts';
export { readUbootEnvironment, writeUbootEnvironment } from './apply/uboot-file.ts';
export type { UbootLayout } from './apply/uboot-environment.ts';
export type { BuildOption } from './archive/build.ts';
export type { BundleResource, BundleSummary } from './archive/bundle-summary.ts';
export { decodePublicKey, generateKeyPair, readPrivateKey, readPublicKey, writeKeyPair } from './archive/key.ts';
export type { SignOption } from './archive/sign.ts';
export type { VerifyOption } from './archive/verify.ts';
export { readTaskTouches, type TaskTouch } from './layout/task-touch.ts';
export { readTaskWrites, type TaskWrite, type WrittenImage } from './archive/task-write.ts';
export { buildDeltaBundle, type DeltaBundle, type DeltaResource } from './archive/delta-bundle.ts';
export { readFirmwareSource, type FirmwareSource, type SourceOption } from './archive/firmware-source.ts';
export { summarizeConfiguration, type ConfigurationSummary } from './archive/configuration-summary.ts';
export { diskModel, type DiskModel } from './layout/disk-model.ts';
export {
  diskLayout,
  type DiskLayout,
  type LayoutRegion,
  type LayoutTask,
  type LayoutWrite,
} from './layout/disk-layout.ts';
export { parseDiskSize } from './layout/disk-size.ts';
export { lintFirmware, type LintFinding } from './lint/lint.ts';
export { severities, type Severity } from './lint/rule.ts';
export { diffFirmware, type FirmwareDiff } from './diff/firmware-diff.ts';
