import { contains, parseAddress, type Network } from '../address.ts';

/**
 * Is an address, as text, in the network? The same answer as parseAddress and contains give, without their numbers of
 * any length: a selector asks it of every address of a fleet.
 */
export function compileAddressTest(network: Network): (text: string) => boolean {
  if (network.family === 6) return (text) => text.includes(':') && isInside(network, text);
  const base = Number(network.base);
  const mask = network.bits === 0 ? 0 : -1 << (32 - network.bits);
  return (text) => {
    const value = readIpv4(text);
    return value >= 0 && ((value ^ base) & mask) === 0;
  };
}

function isInside(network: Network, text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && contains(network, address);
}

/** Dotted decimal without leading zeros; -1 for anything else. */
function readIpv4(text: string): number {
  let value = 0;
  let part = -1;
  let parts = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) {
      // A zero that another digit follows, or what is above 255, which four digits always are.
      if (part === 0) return -1;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    } else if (digit === dot && part >= 0 && parts < 3) {
      value = value * 256 + part;
      part = -1;
      parts += 1;
    } else return -1;
  }
  return parts === 3 && part >= 0 ? value * 256 + part : -1;
}

const dot = '.'.charCodeAt(0) - 48;
