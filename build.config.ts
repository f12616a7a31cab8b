/**
 * `npm run build`: every command and every entry point bundled into dist/ with shared chunks, oclif and its manifest
 * included, so that a command starts fast and dist/ needs no node_modules; and the agent once more as one file, which is
 * all that a device needs besides a Node. The new dist/ is made beside the old one and swapped in by renames: several
 * builds at once, or a command that starts meanwhile, never see half of one.
 */
import { chmod, cp, glob, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Plugin } from '@oclif/core/config';
import type { PJSON } from '@oclif/core/interfaces';
import { settings } from '@oclif/core/settings';
import { rolldown, type Plugin as BundlePlugin } from 'rolldown';
import { pinnedInLockfile } from './src/provision/runtime/pinned-runtime.ts';

const top = import.meta.dirname;
const dist = join(top, 'dist');
/** Ahead of the one file, in its own lines: the minifier would take them for nothing. */
const agentGuard = `#!/usr/bin/env node
'use strict';
class FlotillaAgentNeedsNode24 { static { } } // flotilla-agent needs Node 24 or newer: run it with another node
if (parseInt(process.versions.node, 10) < 24) {
  console.error('flotilla-agent needs Node 24 or newer, this is ' + process.version + ': run it with another node');
  process.exit(2);
}`;
/** What a device's flash and a slow line have to bear. */
const maxAgentBytes = 1_500_000;
const staging = await mkdtemp(join(top, '.dist-'));

try {
  await Promise.all([bundle(), bundleAgent(), declareDoor()]);
  const pjson = await writePackage();
  await copyAsset('templates');
  await copyAsset('firmware');
  // A published package has no lockfile; which Node goes to devices stays pinned all the same.
  const pinned = pinnedInLockfile(await readFile(join(top, 'package-lock.json'), 'utf8'));
  await writeFile(join(staging, 'runtimes.json'), `${JSON.stringify(pinned, null, 2)}\n`);
  await writeManifest(pjson);
  await chmod(staging, 0o755); // mkdtemp made it for its owner alone; an installed package is for every user
  await swap();
} finally {
  await rm(staging, { recursive: true, force: true });
}

async function bundle(): Promise<void> {
  const input: Record<string, string> = {};
  const files: string[] = [];
  const entries = ['commands/**/*.ts', 'src/bin/*.ts', 'src/door/index.ts'];
  for await (const file of glob(entries, { cwd: top })) files.push(file);
  // Sorted: the order of the entries decides the names of the chunks.
  for (const file of files.sort()) input[file.replace(/\.ts$/, '')] = join(top, file);
  const built = await rolldown({
    input,
    platform: 'node',
    // oclif looks for the first three when it runs from TypeScript sources, ssh2 for what it would compile at install:
    // neither is ever here, and both do without.
    external: [/^node:/, 'typescript', 'ts-node', 'tsx', 'cpu-features', /\.node$/],
    logLevel: 'warn',
    plugins: [quickStart()],
  });
  await built.write({
    dir: staging,
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // A part of ssh2 wants the name that CommonJS gives a file's folder.
    banner: ({ moduleIds }) =>
      moduleIds.some((id) => id.includes('/node_modules/ssh2/')) ? 'const __dirname = import.meta.dirname;' : '',
    keepNames: true,
  });
  await built.close();
}

/**
 * Of oclif, what makes each start of a command a sixth longer and is of no use here: it looks whether this is a Linux
 * within Windows, and it sorts ASCII by the rules of a language, for which V8 loads the rules of all.
 */
function quickStart(): BundlePlugin {
  const sorts = 'a.id.localeCompare(b.id)';
  return {
    name: 'quick-start',
    resolveId: (id) => (id === 'wsl-utils' ? '\0wsl-utils' : undefined),
    load: (id) => (id === '\0wsl-utils' ? 'export const isWsl = false;' : undefined),
    transform(code, id) {
      if (!id.endsWith('/@oclif/core/lib/config/plugin.js')) return undefined;
      if (!code.includes(sorts)) throw new Error(`${id} does not sort as it did: does a command still start as fast?`);
      return { code: code.replaceAll(sorts, '(a.id < b.id ? -1 : 1)'), map: null };
    },
  };
}

/** What the one file reads of the package, by path: texts, no programs. */
async function embeddedAssets(): Promise<Record<string, string>> {
  const { version } = JSON.parse(await readFile(join(top, 'package.json'), 'utf8')) as { version: string };
  const assets: Record<string, string> = { 'package.json': JSON.stringify({ version }) };
  for await (const path of glob(['templates/agent.yaml', 'templates/agent/*'], { cwd: top })) {
    assets[path] = await readFile(join(top, path), 'utf8');
  }
  return assets;
}

/**
 * dist/agent/flotilla-agent.js: CommonJS, because a lone file has no package.json that would say otherwise, and in the
 * syntax of Node 16, so that an older Node gets as far as to say what it lacks. Before even that one, the parser stops at
 * the class, and shows the line.
 */
async function bundleAgent(): Promise<void> {
  const built = await rolldown({
    input: { 'flotilla-agent': join(top, 'src/bin/agent.ts') },
    platform: 'node',
    external: [/^node:/],
    logLevel: 'warn',
    // Of 17 hashes the engine needs one, and of Avro the types: no files, no services, no protocols.
    resolve: {
      alias: {
        'hash-wasm': join(top, 'node_modules/hash-wasm/dist/blake2b.umd.min.js'),
        avsc: join(top, 'node_modules/avsc/etc/browser/avsc-types.js'),
      },
    },
    transform: { target: 'es2022', define: { embeddedAssets: JSON.stringify(await embeddedAssets()) } },
  });
  const { output } = await built.generate({
    format: 'cjs',
    codeSplitting: false,
    keepNames: true,
    minify: true,
    postBanner: agentGuard,
  });
  await built.close();
  const [chunk, ...others] = output;
  const code = escapeNonAscii(chunk.code);
  if (others.length > 0 || code.length > maxAgentBytes) {
    throw new Error(
      `the agent must be one file of at most ${maxAgentBytes} bytes: ${output.length}, ${code.length} bytes`,
    );
  }
  await mkdir(join(staging, 'agent'));
  await writeFile(join(staging, 'agent', 'flotilla-agent.js'), code, { mode: 0o755 });
  // For the file where it is: the package around it says that all .js files are modules.
  await writeFile(join(staging, 'agent', 'package.json'), '{ "type": "commonjs" }\n');
}

/** V8 keeps a source with one character beyond Latin-1 in two bytes a character, for as long as the process lives. */
function escapeNonAscii(code: string): string {
  const odd = /\\[^\0-\x7f]|\bString\.raw\b/.exec(code);
  if (odd) throw new Error(`escaping would change what ${JSON.stringify(odd[0])} means`);
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The types of `flotilla/door`, the one part that other programs import. */
async function declareDoor(): Promise<void> {
  const option = ['--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--rootDir', 'src'];
  const language = ['--target', 'es2024', '--module', 'nodenext', '--types', 'node', '--strict', '--skipLibCheck'];
  const syntax = ['--allowImportingTsExtensions', '--exactOptionalPropertyTypes'];
  const out = ['--outDir', join(staging, 'types'), 'src/door/index.ts'];
  await execa(
    process.execPath,
    [join(top, 'node_modules/typescript/bin/tsc'), ...option, ...language, ...syntax, ...out],
    {
      cwd: top,
    },
  );
}

async function writePackage(): Promise<PJSON> {
  const pjson = JSON.parse(await readFile(join(top, 'package.json'), 'utf8'));
  for (const key of ['scripts', 'devDependencies', 'dependencies', 'optionalDependencies', 'bin', 'exports', 'files']) {
    delete pjson[key];
  }
  pjson.imports = { '#hash-thread': './src/bin/hash-thread.js' };
  pjson.oclif.commands = { strategy: 'pattern', target: './commands', globPatterns: ['**/*.js'] };
  await writeFile(join(staging, 'package.json'), `${JSON.stringify(pjson, null, 2)}\n`);
  return pjson;
}

async function copyAsset(folder: string): Promise<void> {
  await cp(join(top, folder), join(staging, folder), { recursive: true });
}

/** The manifest spares the CLI from loading every command at start; making it loads each once, as a check. */
async function writeManifest(pjson: PJSON): Promise<void> {
  settings.enableAutoTranspile = false;
  const plugin = new Plugin({
    root: staging,
    isRoot: true,
    pjson,
    ignoreManifest: true,
    errorOnManifestCreate: true,
  });
  await plugin.load();
  if (plugin.commands.length === 0) throw new Error('no command was found in the build');
  const commands = Object.entries(plugin.manifest.commands).sort(([a], [b]) => (a < b ? -1 : 1));
  const manifest = { ...plugin.manifest, commands: Object.fromEntries(commands) };
  await writeFile(join(staging, 'oclif.manifest.json'), JSON.stringify(manifest));
}

/** rename(2) can't replace a folder that is not empty: the old one steps aside first, and is removed last. */
async function swap(): Promise<void> {
  const aside = await mkdtemp(join(top, '.dist-'));
  for (let attempt = 0; attempt < 50; attempt += 1) {
    await rename(dist, join(aside, `old-${attempt}`)).catch(ignoreMissing);
    try {
      await rename(staging, dist);
      break;
    } catch (error) {
      // Another build was faster between our two renames: its dist/ steps aside as well.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '') || attempt === 49) throw error;
    }
  }
  await rm(aside, { recursive: true, force: true });
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
