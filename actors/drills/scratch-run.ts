/** scratch */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { chooseModel } from '../inference/index.ts';
mkdirSync('/tmp/native/cache', { recursive: true });
const model = await chooseModel(undefined, { cacheDir: '/tmp/native/cache' });
const [placement, ...deeds] = process.argv.slice(2);
for (const deed of deeds) {
  const path = `/tmp/native/model-${placement}.gguf`;
  copyFileSync(model.path, path);
  const order = { deed, placement, model: { ...model, path }, original: model.path };
  const child = spawn(process.execPath, [...process.execArgv, 'actors/drills/native-process.ts', JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '', err = '';
  child.stdout.on('data', (d) => (out += d)); child.stderr.on('data', (d) => (err += d));
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const end = await new Promise((r) => child.on('close', (code, signal) => r(`${code} ${signal}`)));
  clearTimeout(timer);
  console.log(`== ${placement} ${deed}: ${end}\n${out}${err.slice(0, 600)}`);
}
