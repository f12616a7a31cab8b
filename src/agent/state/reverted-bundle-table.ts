import type { DatabaseSync } from 'node:sqlite';

/** A bundle that this device has gone back from. */
export interface RevertedBundle {
  bundleUuid: string;
  version: string;
  atMs: number;
  /** `code: message` of that update. */
  reason: string;
}

/** The device's own list of bundles that it does not take again until somebody allows it. */
export interface RevertedBundleTable {
  find(bundleUuid: string): RevertedBundle | undefined;
  list(): RevertedBundle[];
  add(bundle: RevertedBundle): void;
  /** False: it was not there. */
  remove(bundleUuid: string): boolean;
}

export function createRevertedBundleTable(db: DatabaseSync): RevertedBundleTable {
  const columns = 'SELECT bundle_uuid AS bundleUuid, version, at_ms AS atMs, reason FROM agent_reverted_bundle';
  const find = db.prepare(`${columns} WHERE bundle_uuid = ?`);
  const list = db.prepare(`${columns} ORDER BY at_ms`);
  const add = db.prepare('INSERT OR REPLACE INTO agent_reverted_bundle VALUES (:bundleUuid, :version, :atMs, :reason)');
  const remove = db.prepare('DELETE FROM agent_reverted_bundle WHERE bundle_uuid = ?');
  return {
    find: (bundleUuid) => find.get(bundleUuid) as unknown as RevertedBundle | undefined,
    list: () => list.all() as unknown as RevertedBundle[],
    add: (bundle) => void add.run({ ...bundle }),
    remove: (bundleUuid) => Number(remove.run(bundleUuid).changes) > 0,
  };
}
