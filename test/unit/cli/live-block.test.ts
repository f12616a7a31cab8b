import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LiveBlock } from '../../../src/cli/live-block.ts';

function terminal(columns: number) {
  const stream = new PassThrough({ encoding: 'utf8' });
  const screen = Object.assign(stream, { isTTY: true, rows: 24, columns });
  const block = new LiveBlock(screen as unknown as NodeJS.WriteStream, 'xterm');
  return { screen, block, read: () => stream.read() as string };
}

describe('a block of lines that is painted again', () => {
  it('is cut to the terminal, and taken away from the start of its first line', () => {
    const { block, read } = terminal(10);
    block.paint(['123456789', '1234567890']);
    expect(read()).toBe('123456789\n12345678…\n');
    block.paint(['next']);
    expect(read()).toBe('\r\u001b[2A\u001b[0Jnext\n');
    block.above(() => undefined);
    expect(read()).toBe('\r\u001b[1A\u001b[0Jnext\n');
  });

  it('is taken away whole when the terminal has become narrower, and has wrapped its lines', () => {
    const { screen, block, read } = terminal(40);
    block.paint(['a'.repeat(30), 'b', 'c'.repeat(12)]);
    read();
    screen.columns = 12;
    block.clear();
    expect(read()).toBe('\r\u001b[5A\u001b[0J');
    block.clear();
    expect(read()).toBeNull();
  });
});
