import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Dice } from '../../soak/dice.ts';
import { defaultVectorDirectory } from './event-set.ts';

const eventsPerSet = 300;
const intervalSeconds = 900;
const firstMeter = 0x0012_4b00_14d0_0000n;
const meterStep = 0x101n;

/** Sets of readings: of so many meters in turn, on the decimal grid of the schema unless told otherwise. */
const readingSets = [
  { name: 'c1', meters: 1, jitterMs: 0, onGrid: true },
  { name: 'c2', meters: 20, jitterMs: 0, onGrid: true },
  { name: 'c3', meters: 100, jitterMs: 0, onGrid: true },
  { name: 'c1-jitter', meters: 1, jitterMs: 1_000, onGrid: true },
  { name: 'c1-offgrid', meters: 1, jitterMs: 0, onGrid: false },
] as const;

/**
 * Another lot of the event sets in test/vectors/wire, of the same shape: the same names, keys and sizes, other random
 * bytes and other days of other households. The same for the same seed.
 */
export async function generateVectors(directory: string, seed: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  await copyFile(join(defaultVectorDirectory, 'meter-reading.avsc'), join(directory, 'meter-reading.avsc'));
  const write = (name: string, events: object[]): Promise<void> =>
    writeFile(join(directory, `${name}.ndjson`), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const dice = new Dice(seed);
  await write('b', randomEvents(dice));
  for (const { name, ...shape } of readingSets) await write(name, readings(dice, shape));
}

/** 60 random bytes each, 1 to 3 seconds apart. */
function randomEvents(dice: Dice): object[] {
  let tsMs = startMs(dice);
  return Array.from({ length: eventsPerSet }, () => {
    tsMs += 1_000 * (1 + dice.below(3));
    const bytes = Buffer.from(dice.bytes(60)).toString('base64');
    return { lane: 3, type: 'blob', schema: null, key: keyOf(0), tsMs, bytes };
  });
}

interface Shape {
  meters: number;
  jitterMs: number;
  onGrid: boolean;
}

function readings(dice: Dice, { meters, jitterMs, onGrid }: Shape): object[] {
  const households = Array.from({ length: meters }, () => new Household(dice));
  const first = Math.floor(startMs(dice) / 900_000) * 900_000;
  return Array.from({ length: eventsPerSet }, (_, n) => {
    const turn = Math.floor(n / meters);
    const tsMs = first + turn * intervalSeconds * 1_000 + (jitterMs === 0 ? 0 : dice.below(jitterMs));
    const value = households[n % meters]!.read(onGrid);
    return { lane: 3, type: 'meter.reading', schema: 'meter-reading', key: keyOf(n % meters), tsMs, value };
  });
}

/** What hangs on a meter: a base load, now and then an appliance, energy and credit that follow from the power. */
class Household {
  readonly #dice: Dice;
  #volts = 230;
  #hertz = 50;
  readonly #baseAmperes: number;
  #amperes: number;
  #applianceTurns = 0;
  #applianceAmperes = 0;
  #kwh: number;
  #credit: number;
  #uptime: number;
  #state = 65;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#baseAmperes = 0.3 + dice.below(1_200) / 1_000;
    this.#amperes = this.#baseAmperes;
    this.#kwh = 1_000 + dice.below(8_000_000) / 1_000;
    this.#credit = 50 + dice.below(10_000) / 100;
    this.#uptime = dice.below(1_000_000);
  }

  read(onGrid: boolean): Record<string, number> {
    const dice = this.#dice;
    this.#volts += (230 - this.#volts) * 0.1 + 0.55 * gauss(dice);
    this.#hertz += (50 - this.#hertz) * 0.4 + 0.016 * gauss(dice);
    this.#amperes += (this.#baseAmperes - this.#amperes) * 0.2 + 0.12 * this.#baseAmperes * gauss(dice);
    if (this.#applianceTurns > 0) this.#applianceTurns -= 1;
    else if (dice.below(25) === 0) {
      this.#applianceTurns = 1 + dice.below(4);
      this.#applianceAmperes = 2 + dice.below(4_000) / 1_000;
    }
    if (dice.below(150) === 0) this.#state ^= 1 << dice.below(6);
    const current = Math.max(0.02, this.#amperes) + (this.#applianceTurns > 0 ? this.#applianceAmperes : 0);
    const pf = Math.min(0.99, 0.95 + 0.011 * gauss(dice));
    const power = this.#volts * current * pf;
    const kwh = (power / 1_000) * (intervalSeconds / 3_600);
    this.#kwh += kwh;
    this.#credit -= kwh * 0.22;
    this.#uptime += intervalSeconds;
    const on = (value: number, decimals: number): number => (onGrid ? Number(value.toFixed(decimals)) : value);
    return {
      voltage: on(this.#volts, 1),
      current: on(current, 3),
      power: on(power, 1),
      pf: on(pf, 2),
      freq: on(this.#hertz, 2),
      kwhImport: on(this.#kwh, 3),
      kwhCredit: on(this.#credit, 2),
      state: this.#state,
      uptime: this.#uptime,
    };
  }
}

/** Some second of a few years. */
function startMs(dice: Dice): number {
  return 1_700_000_000_000 + dice.below(100_000_000) * 1_000;
}

function keyOf(meter: number): string {
  return (firstMeter + BigInt(meter) * meterStep).toString(16).padStart(16, '0');
}

/** About normal: of mean 0 and deviation 1. */
function gauss(dice: Dice): number {
  let sum = 0;
  for (let n = 0; n < 12; n += 1) sum += dice.below(2 ** 32) / 2 ** 32;
  return sum - 6;
}
