import { audit, type ServiceContext } from './context.ts';

/** Begins the shutdown. One that can't be written down (the disk is full) is carried out all the same: it ends by itself. */
export async function shutdown(context: ServiceContext): Promise<{ pid: number }> {
  await context.core.submit((turn) => audit(turn, context, 'coordinator.shutdown', '', {})).catch(() => undefined);
  context.shutdown();
  return { pid: process.pid };
}
