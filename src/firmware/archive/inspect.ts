import { BundleFile } from './bundle-file.ts';
import { readBundleHead, type BundleHead } from './bundle-head.ts';
import { summarizeBundle, type BundleSummary } from './bundle-summary.ts';
import { ByteReader } from './byte-reader.ts';
import { ZipReader } from './zip-reader.ts';

/** What the file says about itself. Needs no key and proves nothing: neither signature nor resources are checked. */
export async function inspectBundle(path: string): Promise<BundleSummary> {
  return (await readUnproved(path)).summary;
}

/** The same, with the parsed meta.conf. */
export async function readUnproved(path: string): Promise<{ head: BundleHead; summary: BundleSummary }> {
  const file = new BundleFile(path, { hashed: true });
  const reader = new ByteReader(file);
  try {
    const head = await readBundleHead(new ZipReader(reader), {});
    while (await reader.some(1 << 20)); // the rest counts for length and SHA-256
    return { head, summary: summarizeBundle(head, { fileBytes: file.bytes, sha256: file.sha256() }) };
  } finally {
    await reader.close();
  }
}
