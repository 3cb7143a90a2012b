// Stops with a clear sentence when a script runs on a Node older than the one the repo brings.
// npm may block install scripts (npm 12 does unless package.json's allowScripts names them); the
// `node` devDependency is then not unpacked and every script would silently run on the system's.
const wanted = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < wanted) {
  console.error(
    `Spillway needs Node ${wanted} or newer and this is ${process.version}. ` +
      'The repo brings its own: run `npm ci`, and with npm 12 or newer check that it did not skip the install script of `node`.',
  );
  process.exit(1);
}
