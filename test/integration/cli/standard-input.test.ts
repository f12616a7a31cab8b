import { describe, expect, it } from 'vitest';
import { flotilla } from '../../support/cli.ts';

describe('a command without its argument', () => {
  it('says so, and leaves standard input to the script that it runs in', async () => {
    const { exitCode, stderr } = await flotilla(['firmware', 'inspect'], { input: 'the-next-line-of-the-loop.fw\n' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('bundle');
    expect(stderr).not.toContain('the-next-line');
  });
});
