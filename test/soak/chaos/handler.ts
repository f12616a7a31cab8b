/** A handler of the product for the chaos soak: notes each event in its own file, and dies of poison. */
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

interface Line {
  offset: number;
  deviceId: string;
  type: string;
  payload: { n: number; poison?: boolean };
}

const notes = process.argv[2]!;
for await (const line of createInterface({ input: process.stdin })) {
  const { offset, deviceId, type, payload } = JSON.parse(line) as Line;
  if (payload.poison === true) process.exit(9);
  appendFileSync(notes, `${deviceId} ${type} ${payload.n}\n`);
  process.stdout.write(`${JSON.stringify({ offset, ok: true })}\n`);
}
