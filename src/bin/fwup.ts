/** `flotilla-fwup`: fwup's command line over the builtin engine, for scripts that call fwup. Exit code 0 or 1, as fwup. */
import { compatibleFwupVersion } from '../firmware/config/compatible-version.ts';
import { FwupOutput } from '../firmware/fwup-cli/output.ts';

const argv = process.argv.slice(2);
const output = new FwupOutput();
if (argv.length === 1 && argv[0] === '--version') {
  output.plain(`${compatibleFwupVersion}\n`); // scripts ask often: nothing else is loaded for it
} else {
  process.exitCode = 1; // should it end without a word
  const { runFwupCommandLine } = await import('../firmware/fwup-cli/run.ts');
  process.exit(await runFwupCommandLine(argv, output, process.env));
}
