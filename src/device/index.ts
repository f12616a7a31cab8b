/**
 * What is done on a device around its agent: a key and a request for it, the installation as a service of whatever init
 * there is, what state it is in, what is wrong with it. All of it is in the one-file agent (`flotilla-agent COMMAND`), and
 * behind `flotilla agent`. Real effects on the machine: files, users, units; nothing of the link or of the log.
 */
export { afterInstall, formatInstallState, installBundle, installExitCode } from './install-bundle.ts';
export { runDeviceCommand } from './run-device-command.ts';
export { makeDeviceRequest, type DeviceRequest } from './device-request.ts';
export { defaultConfigPath, deviceLayout, serviceName } from './layout.ts';
export { initKinds, type InitKind } from './init/init-system.ts';
export { installAgent, type InstallOption, type Installed } from './install/install.ts';
export { uninstallAgent, type UninstallOption, type Uninstalled } from './install/uninstall.ts';
export type { Change, StepReport } from './install/step.ts';
export { formatSteps } from './format-steps.ts';
export { readDeviceStatus, type DeviceStatus } from './status/device-status.ts';
export { readIdentityStatus, type IdentityStatus } from './status/identity-status.ts';
export { readServiceStatus, type ServiceStatus } from './status/service-status.ts';
export { formatDeviceStatus } from './status/format-status.ts';
export { diagnose, type Diagnosis } from './diagnose/diagnose.ts';
export { formatDiagnosis } from './diagnose/format-diagnosis.ts';
export { putSupportBundle } from './diagnose/support-bundle.ts';
export type { Finding } from './diagnose/finding.ts';
