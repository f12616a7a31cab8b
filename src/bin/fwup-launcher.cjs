#!/usr/bin/env node
'use strict';
// Written for any Node: says what to do under an old one, else runs dist/ when it is built and the sources when not.
var major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    'flotilla-fwup needs Node 24 or newer, this is ' +
      process.version +
      ': start it as "npx -p flotilla flotilla-fwup" (npm brings its own Node 24), or install Node 24.\n',
  );
  process.exitCode = 1;
} else {
  var fs = require('node:fs');
  var path = require('node:path');
  var url = require('node:url');
  var top = path.resolve(fs.realpathSync(__dirname), '..', '..');
  var built = path.join(top, 'dist', 'src', 'bin', 'fwup.js');
  var source = path.join(top, 'src', 'bin', 'fwup.ts');
  // In the user's own folder: bytecode from a shared /tmp could be another user's.
  var cache = process.env.XDG_CACHE_HOME || path.join(require('node:os').homedir(), '.cache');
  require('node:module').enableCompileCache(path.join(cache, 'flotilla'));
  void import(url.pathToFileURL(process.env.FLOTILLA_FROM_SOURCE || !fs.existsSync(built) ? source : built).href);
}
