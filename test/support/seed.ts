import fc from 'fast-check';

/**
 * Of every property that names none: `npm test` tries the same cases each time, so that it fails for what was changed.
 * `FLOTILLA_SEED=random` looks for others; what it finds is printed with its seed.
 */
const seed = process.env['FLOTILLA_SEED'] ?? '20261126';
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
