/** `npm run bench:update-bytes`: TCP payload of a 32 MiB bundle over the link, whole and with ten cuts; JSON, 1 above the targets. */
import { measureUpdateBytes } from './update-bytes/measure.ts';

const sizeBytes = 32 << 20;
const whole = await measureUpdateBytes({ sizeBytes, cuts: 0 });
const cut = await measureUpdateBytes({ sizeBytes, cuts: 10 });
const targets = { whole: 0.015, cut: 0.03 };
const passed = whole.overShare <= targets.whole && cut.overShare <= targets.cut && cut.cuts === 10;
process.stdout.write(`${JSON.stringify({ bench: 'update-bytes', whole, cut, targets, passed }, null, 2)}\n`);
process.exitCode = passed ? 0 : 1;
