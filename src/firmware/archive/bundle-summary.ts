import { resourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import type { BundleHead } from './bundle-head.ts';
import { isoSeconds } from './iso-seconds.ts';

/** What a bundle says about itself. Texts that it does not set are empty. */
export interface BundleSummary {
  /** Of meta.conf: stays through signing and recompression. */
  uuid: string;
  product: string;
  version: string;
  platform: string;
  architecture: string;
  author: string;
  description: string;
  vcsIdentifier: string;
  misc: string;
  /** ISO 8601, UTC. Not signed: a hint only. */
  creationDate: string;
  /** Holds a signature. Whether it is a good one only verifyBundle says. */
  signed: boolean;
  /** In the order in which they are tried. */
  tasks: string[];
  resources: BundleResource[];
  fileBytes: number;
  /** Hex SHA-256 of the whole file. */
  sha256: string;
}

export interface BundleResource {
  name: string;
  /** Bytes once written, holes included. */
  lengthBytes: number;
  /** Hex BLAKE2b-256 of its data. */
  blake2b256: string;
}

export function summarizeBundle(head: BundleHead, file: { fileBytes: number; sha256: string }): BundleSummary {
  const { root } = head.metaConf;
  const text = (option: string): string => fromByteString(root.text(option) ?? '');
  return {
    uuid: head.uuid,
    product: text('meta-product'),
    version: text('meta-version'),
    platform: text('meta-platform'),
    architecture: text('meta-architecture'),
    author: text('meta-author'),
    description: text('meta-description'),
    vcsIdentifier: text('meta-vcs-identifier'),
    misc: text('meta-misc'),
    creationDate: isoSeconds(head.mtimeSeconds),
    signed: head.signature !== undefined,
    tasks: root.all('task').map((task) => fromByteString(task.title)),
    resources: root.all('file-resource').map((section) => {
      const record = resourceRecord(section);
      return { name: fromByteString(record.name), lengthBytes: record.fileBytes, blake2b256: record.blake2b256 };
    }),
    ...file,
  };
}
