/** `board.ts --dir DIR`: one power-on of one virtual board. Started by src/board/power-switch.ts; ends by SIGKILL. */
import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { appendBoardLog } from '../board/board-log.ts';
import { Board } from '../board/board.ts';
import { boardPaths, readHardware } from '../board/hardware.ts';
import { launcherPath } from '../board/launcher-path.ts';
import { obeyJig } from '../board/power-jig.ts';
import { cutPower } from '../board/power-switch.ts';

process.removeAllListeners('warning');
const { values } = parseArgs({ options: { dir: { type: 'string' } } });
if (values.dir === undefined) throw new Error('board needs --dir DIR');
const dir = values.dir;
const board = new Board({ dir, hardware: await readHardware(dir), flotilla: [process.execPath, launcherPath()] });

process.on('SIGUSR1', () => void board.reboot());
// The power cable: when it ends, whoever held the other end is gone.
const input = fstatSync(0);
if (input.isFIFO() || input.isSocket()) {
  obeyJig(process.stdin, boardPaths(dir).disk);
  process.stdin.once('end', () => {
    appendBoardLog(boardPaths(dir).log, { event: 'power-off', bootId: '' });
    void cutPower({ dir, pid: process.pid });
  });
}
await board.powerOn();
