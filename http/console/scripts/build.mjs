// Bundles the console into dist/: index.html, app.js, app.css, favicon.svg and licenses.txt.
//
// Everything is a file of its own so that a Content-Security-Policy of 'self' holds. The addresses
// in index.html carry a hash of the content, so a browser never runs yesterday's script.
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

async function bundle() {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { app: 'src/main.tsx' },
    outdir: 'dist',
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['es2022'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none', // licenses.txt has them whole
    metafile: true,
    logLevel: 'warning',
  });
  return Object.keys(result.metafile.inputs);
}

// The licences of the packages whose code is in the bundle ask to go where the code goes.
async function licenses(inputs) {
  const names = new Set();
  for (const input of inputs) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) names.add(match[1]);
  }
  const texts = [];
  for (const name of [...names].sort()) {
    const folder = join(root, 'node_modules', name);
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file`);
    texts.push(`${name} ${version}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function hashed(name) {
  const digest = createHash('sha256')
    .update(await readFile(join(dist, name)))
    .digest('hex');
  return `${name}?v=${digest.slice(0, 10)}`;
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
const inputs = await bundle();
await writeFile(join(dist, 'licenses.txt'), await licenses(inputs));
await cp(join(root, 'src/favicon.svg'), join(dist, 'favicon.svg'));
const page = await readFile(join(root, 'src/index.html'), 'utf8');
await writeFile(
  join(dist, 'index.html'),
  page.replace('app.js', await hashed('app.js')).replace('app.css', await hashed('app.css')),
);
