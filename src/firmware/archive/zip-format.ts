/**
 * The parts of ZIP (APPNOTE 6.3) that a .fw archive uses. A reader streams: local headers drive everything.
 *
 *   local header    sig u32 · version u16 · flags u16 · method u16 · time u16 · date u16 · crc u32 · compressed u32 ·
 *                   size u32 · name length u16 · extra length u16 · name · extra
 *   descriptor      [sig u32] · crc u32 · compressed u32|u64 · size u32|u64 (when flag bit 3 is set)
 *   central header  sig u32 · made by u16 · then as local · comment length u16 · disk u16 · internal u16 ·
 *                   external u32 · local offset u32 · name · extra · comment
 */
export const signature = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
} as const;

export const localHeaderBytes = 30;
export const centralHeaderBytes = 46;
export const method = { stored: 0, deflated: 8 } as const;
export const flag = { encrypted: 1 << 0, descriptor: 1 << 3 } as const;
export const extraId = { zip64: 0x0001, extendedTime: 0x5455, unixOwner: 0x7875 } as const;
/** libarchive switches an entry to zip64 above this size. */
export const zip64Threshold = 0xff00_0000;

/** 1980-01-01 00:00, the earliest DOS time. */
export const dosEpoch = { time: 0x0000, date: 0x0021 } as const;

/** The extra field with an id, or undefined; a malformed tail ends the search. */
export function findExtra(extra: Buffer, id: number): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length;) {
    const size = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === id) return extra.subarray(at + 4, Math.min(at + 4 + size, extra.length));
    at += 4 + size;
  }
  return undefined;
}

/** DOS fields of a time, in the local time zone as ZIP wants it. */
export function dosTime(epochSeconds: number): { time: number; date: number } {
  const when = new Date(epochSeconds * 1000);
  if (when.getFullYear() < 1980 || when.getFullYear() > 2107) return dosEpoch;
  return {
    time: (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1),
    date: ((when.getFullYear() - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate(),
  };
}

/** Seconds since 1970 of DOS fields taken as local time. */
export function fromDosTime(time: number, date: number): number {
  const when = new Date(
    1980 + (date >> 9),
    ((date >> 5) & 0x0f) - 1,
    date & 0x1f,
    time >> 11,
    (time >> 5) & 0x3f,
    (time & 0x1f) * 2,
  );
  return Math.floor(when.getTime() / 1000);
}
