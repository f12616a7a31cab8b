/** `npm run build`: bundles every command and every entry point into dist/, with shared chunks, so that a command starts fast. */
import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const top = import.meta.dirname;
const dist = join(top, 'dist');
const staging = join(top, `dist.${process.pid}`);

const entries: Record<string, string> = {};
for await (const file of glob(['commands/**/*.ts', 'src/bin/*.ts'], { cwd: top })) {
  entries[file.replace(/\.ts$/, '')] = join(top, file);
}

const bundle = await rolldown({
  input: entries,
  platform: 'node',
  external: [/^node:/, '@oclif/core'],
  logLevel: 'warn',
});
await bundle.write({
  dir: staging,
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  keepNames: true,
});

const pjson = JSON.parse(await readFile(join(top, 'package.json'), 'utf8'));
await writeFile(join(staging, 'package.json'), JSON.stringify({ ...pjson, scripts: {}, devDependencies: {} }, null, 2));
await mkdir(join(staging, 'templates'), { recursive: true });
await cp(join(top, 'templates'), join(staging, 'templates'), { recursive: true });
await cp(join(top, 'firmware'), join(staging, 'firmware'), { recursive: true });

// The manifest spares the CLI from loading every command at start.
const manifest = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(top, 'test', 'support', 'write-manifest.ts'), staging], {
  stdio: 'inherit',
});
if (manifest.status !== 0) process.exit(1);
await rm(dist, { recursive: true, force: true });
await (await import('node:fs/promises')).rename(staging, dist);
