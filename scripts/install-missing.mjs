// Installs what the lock file names and node_modules lacks; does nothing (in well under a second) when all is there.
// First half of `npm start` and `npm test`. Runs on any Node >= 18, so it imports nothing but node: modules.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The packages a lock file lists, by path; none when there is no such file. */
function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(root + file, 'utf8')).packages;
  } catch {
    return {};
  }
}

// The native launcher, when it is older than its source. Without a compiler the one in Node serves, and the server says so.
if (process.platform === 'linux') spawnSync('/bin/sh', [`${root}native/build.sh`], { stdio: 'ignore' });

const installed = lockedPackages('node_modules/.package-lock.json');
const missing = Object.entries(lockedPackages('package-lock.json')).filter(
  ([path, entry]) =>
    path.startsWith('node_modules/') &&
    !entry.link &&
    !entry.optional &&
    !entry.peer &&
    installed[path]?.version !== entry.version,
);

if (missing.length > 0) {
  console.error(`yunmen: installing ${missing.length} packages from npm (once; about half a minute) ...`);
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm's own paths, because `node_modules/.bin/node` may already be another Node than npm runs on.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const done =
    npm && node
      ? spawnSync(node, [npm, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
      : spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (done.status !== 0) {
    console.error('yunmen: npm ci failed; its message is above.');
    process.exit(done.status ?? 1);
  }
  const pinned = `${root}node_modules/.bin/node`;
  // On musl the glibc binary cannot run: leave the system's Node to be found.
  if (existsSync(pinned) && spawnSync(pinned, ['--version']).status !== 0) rmSync(pinned);
}
