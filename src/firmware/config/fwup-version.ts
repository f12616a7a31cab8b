import semver from 'semver';
import { compatibleFwupVersion } from './compatible-version.ts';
import { configError, fromByteString } from './source-text.ts';
import type { Section } from './section.ts';

/** `require-fwup-version`, in semver order; missing parts count as 0. */
export function checkFwupVersion(root: Section): void {
  const wanted = fromByteString(root.text('require-fwup-version') ?? '0');
  const place = root.placeOf('require-fwup-version');
  const full = /^\d+(?:\.\d+)?$/.test(wanted) ? `${wanted}.0.0`.split('.').slice(0, 3).join('.') : wanted;
  const version = semver.valid(full);
  if (!version) {
    throw configError(place, `invalid version '${wanted}' passed to require-fwup-version`, {
      expected: 'like 1.10.0',
      fwup: `Invalid version '${wanted}' passed to require-fwup-version`,
    });
  }
  if (semver.gt(version, compatibleFwupVersion)) {
    throw configError(place, `fwup version '${wanted}' required`, {
      seen: `the builtin engine follows fwup ${compatibleFwupVersion}`,
      fwup: `fwup version '${wanted}' required. This is fwup version '${compatibleFwupVersion}'.`,
    });
  }
}
