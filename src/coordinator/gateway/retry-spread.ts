/** Devices that one gateway takes back in a second with room to spare: a resumed handshake is some milliseconds of CPU. */
const connectsPerSecond = 200;
const minSpreadMs = 5_000;
const maxSpreadMs = 600_000;

/** A part of the spread, at random: no two devices come back at once. `auto` grows with the connections. */
export function retrySpread(spread: number | 'auto', connections: number, random = Math.random): number {
  const auto = Math.min(maxSpreadMs, Math.max(minSpreadMs, (connections * 1_000) / connectsPerSecond));
  return Math.ceil(random() * (spread === 'auto' ? auto : spread));
}
