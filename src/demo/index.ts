/**
 * `flotilla demo`: the whole story on real input. A fleet is made, devices get identities, firmware is built and signed, a
 * selector picks devices, an update goes out through two power cuts, a bad one rolls back and stops the rollout. What is
 * expected is checked against the boards' logs and the bytes on the disks, not against what devices say of themselves.
 */
export { runDemo, type DemoOption } from './run-demo.ts';
export { renderDemo } from './render.ts';
export { maxDevices, minDevices } from './fleet-plan.ts';
export type { DemoReport } from './demo-report.ts';
