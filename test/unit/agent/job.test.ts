import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitJobEvent } from '../../../src/agent/executor/job-event.ts';
import { matchesProgram, sectionPolicy } from '../../../src/agent/executor/job-policy.ts';

const limits = { maxOutputBytes: 1, maxConcurrent: 1, timeoutSeconds: 1 };

describe('the allow-list of a device', () => {
  const allows = (allow: string[], argv: string[], shell = false, mayShell = true) =>
    sectionPolicy({ allow, shell: mayShell, ...limits }).objection({ kind: 'command', argv, shell }, 'anna') ===
    undefined;

  it('allows what a glob names, and nothing when it is empty', () => {
    expect(allows(['*'], ['/usr/bin/anything'])).toBe(true);
    expect(allows(['df', 'uname'], ['uname', '-a'])).toBe(true);
    expect(allows(['df'], ['dfx'])).toBe(false);
    expect(allows(['/usr/bin/*'], ['/usr/bin/df'])).toBe(true);
    expect(allows(['/usr/bin/*'], ['/usr/bin/sub/df'])).toBe(false);
    expect(allows(['/usr/bin/*'], ['df'])).toBe(false);
    expect(allows([], ['df'])).toBe(false);
  });

  it('cannot be walked around with dots, by a shell or an empty name', () => {
    expect(allows(['/usr/bin/*'], ['/usr/bin/../../tmp/evil'])).toBe(false);
    expect(allows(['*'], ['/usr/bin/../../tmp/evil'])).toBe(false);
    expect(allows(['df'], ['df; rm -rf /'], true)).toBe(false);
    expect(allows(['*'], ['df'], true, false)).toBe(false);
    expect(allows(['*'], [''])).toBe(false);
    expect(allows(['*'], ['df', 'a\0b'])).toBe(false);
  });

  it('matches as a regular expression made from the same glob does', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 10 });
    fc.assert(
      fc.property(part, text, (glob, program) => {
        if (glob === '*') return;
        const pattern = new RegExp(`^${glob.replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`);
        expect(matchesProgram(glob, program)).toBe(pattern.test(program));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the event of a job', () => {
  it('is cut until it fits, and counts what was cut', () => {
    const stdout = '\u0001'.repeat(50_000); // six bytes each in JSON
    const fitted = fitJobEvent({ jobId: 'j', state: 'finished', stdout, stderr: 'kept', truncatedBytes: 3 }, 10_000);
    expect(Buffer.byteLength(JSON.stringify(fitted))).toBeLessThanOrEqual(10_000);
    expect(fitted.stderr).toBe('kept');
    expect(fitted.truncatedBytes! + fitted.stdout!.length).toBe(50_003);
  });
});
