import type { Grains } from '../grain/machine-grain.ts';
import type { HookResult } from '../../protocol/event.ts';
import { createValueTable, type ValueTable } from '../state/value-table.ts';
import { sleep } from '../wait.ts';
import { listHooks, runHook, withHookResult } from './hook.ts';
import { assertWanted } from './offer.ts';
import type { UpdateHappening } from './transition.ts';
import { judgeGate, type Deferral, type Gate } from './update-gate.ts';
import { waitLeftMs, type LimitSource } from './update-limit.ts';
import type { Update, UpdateReason, Wait } from './update.ts';
import type { UpdateStore } from './update-store.ts';
import type { UpdaterOption } from './updater-option.ts';

/** A wait is looked at again this often, whatever it waits for. */
const lookMs = 30_000;
/** Two ends of one wait that are as near as that are the same to those who read of it. */
const sameMs = 60_000;
/** A program that held the restart up gets so long to come back after a restart of the agent. */
const returnMs = 10_000;
const noGrains: Grains = {};
const deferralName = 'update-deferral';

/** When an update goes on: the gates that it passes, the hooks that it runs, and what it says while it waits. */
export class UpdatePace {
  readonly #option: UpdaterOption;
  readonly #store: UpdateStore;
  readonly #source: LimitSource & { rules: UpdaterOption['rules'] };
  readonly #values: ValueTable;
  readonly #startMs: number;
  readonly #onWait: () => void;
  /** Why a program held the restart up when the agent before this one ended. */
  #lastHold: string | undefined;
  readonly #wakers = new Set<() => void>();

  /** `onWait`: a wait has begun or ended. */
  constructor(option: UpdaterOption, store: UpdateStore, onWait: () => void) {
    this.#option = option;
    this.#store = store;
    this.#onWait = onWait;
    this.#source = limitSource(option);
    this.#values = createValueTable(option.database);
    this.#startMs = option.clock.monotonicMs();
    const { wait } = store.table.current() ?? {};
    this.#lastHold = wait?.code === 'reboot-held' ? wait.message : undefined;
  }

  get deferral(): Deferral | undefined {
    const text = this.#values.get(deferralName);
    const deferral = text ? (JSON.parse(text) as Deferral) : undefined;
    return deferral !== undefined && deferral.untilMs > this.#option.clock.nowMs() ? deferral : undefined;
  }

  /** Undefined ends it. */
  defer(deferral: Deferral | undefined): void {
    this.#values.set(deferralName, deferral === undefined ? '' : JSON.stringify(deferral));
    this.poke();
  }

  /** Something that a wait depends on may have changed. */
  poke(): void {
    for (const wake of this.#wakers) wake();
  }

  /**
   * Resolves when the update may take that step. What it waits for is on disk and told before it is waited for.
   * @throws OfferExpired
   */
  async pass(gate: Gate, signal: AbortSignal): Promise<void> {
    for (;;) {
      const wait = await this.#judge(gate, signal);
      const { wait: told } = this.#current();
      if (wait === undefined) {
        if (told !== undefined) this.#tell({ type: 'goes-on' });
        return;
      }
      // Nobody is to be asked for what is not offered any more; behind the installation it does not matter.
      if (gate !== 'reboot') assertWanted(this.#current(), this.#option.link.coordinatorNowMs());
      if (told === undefined || !isSame(told, wait)) this.#tell({ type: 'waits', wait });
      await this.#sleep(
        Math.min(
          this.#lastHold === undefined ? lookMs : returnMs,
          (wait.untilMs ?? Infinity) - this.#option.clock.nowMs(),
        ),
        signal,
      );
    }
  }

  /** Is that gate still open? For a step that something else has held up meanwhile. */
  async isOpen(gate: Gate, signal: AbortSignal): Promise<boolean> {
    return (await this.#judge(gate, signal)) === undefined;
  }

  /** Runs the hooks of the present state. The reason when one of them said no. */
  async runHooks(signal: AbortSignal): Promise<UpdateReason | undefined> {
    const { rules, logger } = this.#option;
    const names = await listHooks(rules.hooks.directory, this.#current());
    for (const name of names) {
      for (;;) {
        signal.throwIfAborted();
        const result = await runHook(name, this.#current(), { ...rules.hooks, signal });
        signal.throwIfAborted();
        this.#store.note({ type: 'noted', hooks: withHookResult(this.#current().hooks, result) });
        logger.info({ hook: name, state: result.state, outcome: result.outcome, exitCode: result.exitCode }, 'hook');
        if (result.outcome === 'ok') {
          if (this.#current().wait !== undefined) this.#tell({ type: 'goes-on' });
          break;
        }
        const said = result.output === undefined ? '' : `: ${result.output.slice(-200).trim()}`;
        if (result.outcome === 'failed')
          return { code: 'hook-failed', message: `${result.state}.d/${name} failed${said}` };
        if (!(await this.#retryLater(`${result.state}.d/${name} asks to be run again later`, signal)))
          return { code: 'hook-late', message: `${result.state}.d/${name} was never ready${said}` };
      }
    }
    return undefined;
  }

  /** The way back is set already: they can't change anything any more. */
  async runHooksOfRevert(update: Update, signal: AbortSignal): Promise<void> {
    for await (const result of this.#runFreely(update, signal)) {
      this.#store.note({ type: 'noted', hooks: withHookResult(this.#current().hooks, result) });
    }
  }

  /** Of an update that has ended; all of them again when the agent has ended before they had. */
  async runHooksOfEnd(update: Update, signal: AbortSignal): Promise<void> {
    let { hooks } = update;
    for await (const result of this.#runFreely(update, signal)) hooks = withHookResult(hooks, result);
    if (signal.aborted) return;
    const { endHooksDue: _, ...done } = update;
    this.#store.table.save({ ...done, ...(hooks === undefined ? {} : { hooks }) });
  }

  async *#runFreely(update: Update, signal: AbortSignal): AsyncGenerator<HookResult> {
    const { rules, logger } = this.#option;
    for (const name of await listHooks(rules.hooks.directory, update)) {
      if (signal.aborted) return;
      const result = await runHook(name, update, { ...rules.hooks, signal });
      logger.info({ hook: name, state: result.state, outcome: result.outcome, exitCode: result.exitCode }, 'hook');
      yield result;
    }
  }

  async #judge(gate: Gate, signal: AbortSignal): Promise<Wait | undefined> {
    const { rules, grains } = this.#option;
    const known = asksGrains(this.#current(), rules) ? await orAborted(grains(), signal) : noGrains;
    signal.throwIfAborted();
    const update = this.#current();
    const timezone = known['timezone'];
    return judgeGate(gate, update, {
      now: this.#store.now(),
      source: this.#source,
      zone: typeof timezone === 'string' ? timezone : undefined,
      deferral: this.deferral,
      rebootHold: this.#rebootHold(),
      grains: known,
    });
  }

  /** A program that held it up may not have come back to this agent yet. */
  #rebootHold(): string | undefined {
    const hold = this.#option.rebootHold()?.reason;
    if (hold !== undefined || this.#option.clock.monotonicMs() - this.#startMs >= returnMs) this.#lastHold = undefined;
    return hold ?? this.#lastHold;
  }

  async #retryLater(message: string, signal: AbortSignal): Promise<boolean> {
    const { rules, clock } = this.#option;
    const left = waitLeftMs(this.#current(), 'hook-retry', this.#source, this.#store.now());
    if (left <= 0) return false;
    const delayMs = Math.min(rules.hooks.retrySeconds * 1_000, left);
    const wait: Wait = { code: 'hook-retry', message, untilMs: clock.nowMs() + left };
    const { wait: told } = this.#current();
    if (told === undefined || !isSame(told, wait)) this.#tell({ type: 'waits', wait });
    await sleep(clock, delayMs, signal);
    return true;
  }

  #current(): Update {
    const update = this.#store.table.current();
    if (update === undefined) throw new Error('no update is under way');
    return update;
  }

  #tell(happening: UpdateHappening): void {
    const { logger, link, onChange } = this.#option;
    const next = this.#store.apply(happening);
    logger.info(
      { rollout: next.rolloutId, state: next.state, wait: next.wait?.code, until: next.wait?.untilMs },
      'update',
    );
    link.wake();
    onChange?.();
    this.#onWait();
  }

  #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    const wake = new AbortController();
    const poked = () => wake.abort();
    this.#wakers.add(poked);
    return sleep(this.#option.clock, Math.max(250, delayMs), AbortSignal.any([signal, wake.signal]))
      .catch(() => signal.throwIfAborted())
      .finally(() => this.#wakers.delete(poked));
  }
}

/** A device that is asked for nothing that it knows of itself need not have looked yet. */
function asksGrains({ conduct }: Update, { metered, windows }: UpdaterOption['rules']): boolean {
  const lists = [...Object.values(windows), conduct?.installWindows ?? [], conduct?.rebootWindows ?? []];
  return metered !== undefined || lists.some((list) => list.length > 0);
}

function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}

function isSame(a: Wait, b: Wait): boolean {
  const apartMs = Math.abs((a.untilMs ?? 0) - (b.untilMs ?? 0));
  return a.code === b.code && a.message === b.message && apartMs <= sameMs;
}

/** What limits are made of. */
export function limitSource({ rules, policy }: Pick<UpdaterOption, 'rules' | 'policy'>): LimitSource & {
  rules: UpdaterOption['rules'];
} {
  const { checks, soakSeconds, connectTimeoutSeconds, product } = policy.health;
  const checkSeconds = checks.reduce((sum, { timeoutMs }) => sum + timeoutMs / 1_000, 0);
  return {
    rules,
    testSeconds: soakSeconds + 2 * (connectTimeoutSeconds + checkSeconds) + (product?.timeoutSeconds ?? 0),
    rebootSeconds: policy.reboot.timeoutSeconds,
  };
}
