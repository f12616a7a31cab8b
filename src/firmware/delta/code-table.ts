/** The default code table of VCDIFF (RFC 3284, section 5.6): what each instruction byte stands for. */
export type Operation = 'add' | 'run' | 'copy';

export interface Instruction {
  readonly operation: Operation;
  /** 0: the size follows as an integer. */
  readonly size: number;
  /** Address mode of a copy. */
  readonly mode: number;
}

export const nearSlots = 4;
export const sameSlots = 3;
const modes = 2 + nearSlots + sameSlots;

const add = (size: number): Instruction => ({ operation: 'add', size, mode: 0 });
const copy = (size: number, mode: number): Instruction => ({ operation: 'copy', size, mode });
const upTo = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** One or two instructions for each of the 256 bytes. */
export const codeTable: readonly (readonly Instruction[])[] = [
  [{ operation: 'run', size: 0, mode: 0 }],
  ...upTo(0, 17).map((size) => [add(size)]),
  ...upTo(0, modes - 1).flatMap((mode) => [0, ...upTo(4, 18)].map((size) => [copy(size, mode)])),
  ...upTo(0, 5).flatMap((mode) =>
    upTo(1, 4).flatMap((size) => upTo(4, 6).map((copied) => [add(size), copy(copied, mode)])),
  ),
  ...upTo(6, 8).flatMap((mode) => upTo(1, 4).map((size) => [add(size), copy(4, mode)])),
  ...upTo(0, modes - 1).map((mode) => [copy(4, mode), add(1)]),
];
