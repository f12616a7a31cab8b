'use strict';
/**
 * Starts an entry point under `program`: dist/ when it is built and the sources when not. Written for any Node, so that
 * an old one can say what to do (`npx` is how npm runs it with the Node that it brings).
 */
module.exports = function launch(program, entry, npx) {
  if (Number(process.versions.node.split('.')[0]) < 24) {
    process.stderr.write(
      program + ' needs Node 24 or newer, this is ' + process.version + ': start it as "' + npx + '" ' +
        '(npm brings its own Node 24), or install Node 24.\n',
    ); // prettier-ignore
    process.exitCode = 1;
    return;
  }
  var fs = require('node:fs');
  var path = require('node:path');
  var url = require('node:url');
  var top = path.resolve(fs.realpathSync(__dirname), '..', '..');
  var built = path.join(top, 'dist', 'src', 'bin', entry + '.js');
  var source = path.join(top, 'src', 'bin', entry + '.ts');
  // In the user's own folder: bytecode from a shared /tmp could be another user's.
  var cache = process.env.XDG_CACHE_HOME || path.join(require('node:os').homedir(), '.cache');
  require('node:module').enableCompileCache(path.join(cache, 'flotilla'));
  void import(url.pathToFileURL(process.env.FLOTILLA_FROM_SOURCE || !fs.existsSync(built) ? source : built).href);
};
