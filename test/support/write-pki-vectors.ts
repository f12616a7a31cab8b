/** Makes test/vectors/pki anew: node test/support/write-pki-vectors.ts. The keys are thrown away. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAuthorities, makeBadCertificates } from './bad-certificate.ts';
import { pem } from './certificate-draft.ts';

const directory = join(import.meta.dirname, '..', 'vectors', 'pki');
const authorities = makeAuthorities();
const bad = makeBadCertificates(authorities);

await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });
const write = (name: string, text: string) => writeFile(join(directory, name), text);
await write('authority.pem', pem('CERTIFICATE', authorities.issuing) + pem('CERTIFICATE', authorities.root));
for (const { name, chain } of bad) await write(`${name}.pem`, chain.map((der) => pem('CERTIFICATE', der)).join(''));
const manifest = bad.map(({ name, made, reasons, findings }) => ({ name, made, reasons, findings }));
await write('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
const rows = manifest.map(({ name, made, reasons, findings }) => `| ${name} | ${made} | ${reasons.join(', ') || 'holds'} | ${findings.join(', ') || '-'} |`); // prettier-ignore
await write(
  'README.md',
  `# Bad certificates

Made by test/support/write-pki-vectors.ts from test/support/bad-certificate.ts; the keys were thrown away. \`authority.pem\`
is what is trusted. Each file begins with the certificate, and what it came with follows. The columns say what
\`cert verify --purpose device\` and \`cert lint\` (errors only) have to say at 2026-06-01; manifest.json has the same for the tests.

| File | What was made | Reasons | Findings |
| --- | --- | --- | --- |
${rows.join('\n')}
`,
);
