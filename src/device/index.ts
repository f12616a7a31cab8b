/**
 * What is done on a device around its agent: a key and a request for it, the installation as a service of whatever init
 * there is, what state it is in, what is wrong with it. All of it is in the one-file agent (`flotilla-agent COMMAND`), and
 * behind `flotilla agent`. Real effects on the machine: files, users, units; nothing of the link or of the log.
 */
export { runDeviceCommand } from './run-device-command.ts';
export { makeDeviceRequest, type DeviceRequest } from './device-request.ts';
