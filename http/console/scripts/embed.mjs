// embed.mjs DIST OUTPUT.cc: writes the files of DIST as the asset table of http/assets.h.
//
// String literals, because compilers read them at memory speed; an array of numbers costs seconds.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
const bytesPerLine = 100;

// Printable ASCII stands for itself. All else is octal of three digits, which no digit after it can
// prolong; `?` too, as two of them would begin a trigraph.
function escaped(byte) {
  const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f;
  return plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
}

function literal(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += bytesPerLine) {
    lines.push(`    "${[...bytes.subarray(at, at + bytesPerLine)].map(escaped).join('')}"`);
  }
  return lines.length > 0 ? lines.join('\n') : '    ""';
}

const [dist, output] = process.argv.slice(2);
const names = (await readdir(dist)).sort();
const entries = [];
for (const name of names) {
  const type = types[extname(name)];
  if (!type) throw new Error(`no content type is known for ${name}`);
  const bytes = await readFile(join(dist, name));
  entries.push(`    {"/${name}", "${type}",\n     {\n${literal(bytes)},\n    ${bytes.length}}},`);
}

await writeFile(
  output,
  `// Generated from the console's build; see console/scripts/embed.mjs.
#include "http/assets.h"

#ifdef __clang__
#pragma clang diagnostic ignored "-Woverlength-strings"
#endif

namespace weir::http {
namespace {

constexpr Asset kAssets[] = {
${entries.join('\n')}
};

}  // namespace

std::span<const Asset> console_assets() { return kAssets; }

}  // namespace weir::http
`,
);
