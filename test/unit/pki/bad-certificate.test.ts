/** The corpus of test/vectors/pki: each is refused, with the right reason, and fast. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inspect } from '../../../src/pki/inspect/index.ts';
import { lintMaterial } from '../../../src/pki/lint/lint.ts';
import { verifyCertificate } from '../../../src/pki/verify/verify.ts';
import { draftNowMs as nowMs } from '../../support/certificate-draft.ts';

const directory = join(import.meta.dirname, '..', '..', 'vectors', 'pki');
const read = (name: string) => readFileSync(join(directory, name));
const manifest = JSON.parse(read('manifest.json').toString()) as {
  name: string;
  reasons: string[];
  findings: string[];
}[];
const trusted = [{ source: 'authority.pem', bytes: read('authority.pem') }];

describe.each(manifest)('$name', ({ name, reasons, findings }) => {
  const file = `${name}.pem`;
  const bytes = read(file);

  it('is verified with these reasons', () => {
    const startedAt = performance.now();
    const verdict = verifyCertificate({
      certificate: { source: file, bytes },
      trusted,
      purpose: 'device',
      atMs: nowMs,
    });
    expect(verdict.reasons.map(({ code }) => code)).toEqual(reasons);
    expect(verdict.ok).toBe(reasons.length === 0);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('is linted with these errors', async () => {
    const found = await lintMaterial([{ file, bytes }], { nowMs, soonDays: 30 });
    expect(found.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(findings);
  });

  it('is inspected, or refused as malformed', async () => {
    const seen = await inspect({ file, bytes }).catch((error: { code: string }) => error.code);
    if (typeof seen === 'string') expect(seen).toBe('pki-der-malformed');
    else expect(seen.objects[0]).toMatchObject({ kind: 'certificate' });
  });
});
