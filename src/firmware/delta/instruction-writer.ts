import { codeTable, type Instruction } from './code-table.ts';
import { SectionWriter } from './section-writer.ts';

/** The code of one instruction with its size in it, and of one with the size behind it. */
const single = new Map<number, number>();
/** The code of two instructions at once. */
const paired = new Map<number, number>();
const ordinal = { add: 0, run: 1, copy: 2 } as const;
/** No instruction of the table has a larger size. */
const maxCodedSize = 18;

for (const [code, instructions] of codeTable.entries()) {
  const [first, second] = instructions;
  if (second === undefined) single.set(keyOf(first!), code);
  else paired.set(pairKey(first!, second), code);
}

/** Writes the instructions of a window, two with one byte where the table has such a pair. */
export class InstructionWriter {
  readonly section = new SectionWriter();
  #held: Instruction | undefined;

  write(instruction: Instruction): void {
    const held = this.#held;
    const pair = held === undefined ? undefined : paired.get(pairKey(held, instruction));
    if (pair === undefined) {
      this.flush();
      this.#held = instruction;
    } else {
      this.section.byte(pair);
      this.#held = undefined;
    }
  }

  /** Writes what waited for a partner. */
  flush(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const code = single.get(keyOf(held));
    if (code !== undefined) return this.section.byte(code);
    this.section.byte(single.get(keyOf({ ...held, size: 0 }))!);
    this.section.integer(held.size);
  }
}

function keyOf({ operation, size, mode }: Instruction): number {
  return size > maxCodedSize ? -1 : (ordinal[operation] * 16 + mode) * 32 + size;
}

function pairKey(first: Instruction, second: Instruction): number {
  const [left, right] = [keyOf(first), keyOf(second)];
  return left < 0 || right < 0 ? -1 : left * 2_048 + right;
}
