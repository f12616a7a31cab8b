/**
 * The virtual device of the demo and the tests: a disk image, the parts of a boot loader and of init, a boot id, a
 * watchdog and a power switch. What runs on it is the real agent, started by what the active slot's contents name.
 */
export { createBoard, openBoard, type VirtualBoard } from './create-board.ts';
export { buildProductImages, type ProductImage } from './product-image.ts';
export { boardPaths, type BoardPath } from './hardware.ts';
export type { BoardRecord } from './board-log.ts';
export { readLoader, readEnvironment } from './boot-medium.ts';
export { decodeCpio, encodeCpio } from './cpio.ts';
export { killMarked } from './marked-process.ts';
export { productPath, launcherPath } from './launcher-path.ts';
