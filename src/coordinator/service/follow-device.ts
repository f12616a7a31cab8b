import type { DeviceWatchRow } from '../../client/contract/device.ts';
import { matches, momentOf } from '../../selector/index.ts';
import type { ServiceContext } from './context.ts';
import { viewDevice } from './device-service.ts';
import { Mailbox } from './mailbox.ts';
import { parseFor } from './target.ts';

/** The fleet as it is, `synced`, then each change. Ends when `signal` aborts. */
export async function* followDevices(
  { core }: ServiceContext,
  text: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<DeviceWatchRow> {
  const selector = text === undefined ? undefined : await core.submit(({ state }) => parseFor(state, text));
  const changed = new Mailbox<true>();
  const unsubscribe = core.subscribe((change) => {
    if (change.kind === 'device' || change.kind === 'device-removed') changed.put(change.id, true);
  });
  const onAbort = (): void => changed.close();
  signal.addEventListener('abort', onAbort, { once: true });
  const shown = new Set<string>();
  const rowsOf = (ids: Iterable<string>): Promise<DeviceWatchRow[]> =>
    core.submit(({ state, nowMs }) => {
      const rows: DeviceWatchRow[] = [];
      const moment = momentOf(nowMs, () => [...state.devices.keys()]);
      for (const id of ids) {
        const device = viewDevice(state, id, nowMs);
        const target = state.registry.index.get(id);
        if (
          device !== undefined &&
          target !== undefined &&
          (selector === undefined || matches(selector, target, moment))
        ) {
          shown.add(id);
          rows.push({ kind: 'device', device });
        } else if (shown.delete(id)) rows.push({ kind: 'removed', id });
      }
      return rows;
    });
  try {
    yield* await rowsOf(await core.submit(({ state }) => [...state.devices.keys()].toSorted()));
    yield { kind: 'synced' };
    for (;;) {
      const ids = signal.aborted ? undefined : await changed.take();
      if (ids === undefined) return;
      yield* await rowsOf(ids.keys());
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}
