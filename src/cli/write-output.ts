import { writeFileAtomically } from '../firmware/archive/atomic-file.ts';
import { writeText } from './write-line.ts';

/** A text to where the person asked for it: a file, which is there only when it is whole, or stdout. */
export async function writeOutput(path: string | undefined, text: string): Promise<void> {
  if (path === undefined) return writeText(process.stdout, text);
  await writeFileAtomically(path, (write) => write(Buffer.from(text)));
}
