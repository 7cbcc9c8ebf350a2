// Builds search expressions (`q`) from what is clicked. The grammar belongs to the API, which also
// parses it; the console only adds and removes whole terms at the top level.

// Bytes that are no UTF-8 come from the API as this character; what they were is not known here.
const unknownBytes = '\ufffd';

// A value as it may stand after `field:`. Between quotes every character is itself, `*` too; `""` finds
// records without a value. What holds unknown bytes becomes a word with `*` in their place, in which
// other special characters have a `\` before them; a word cannot hold a quote at all.
export function quoted(value: string): string {
  if (value.includes(unknownBytes)) {
    return value.replace(/[\s()*\\<>:-]/g, '\\$&').replace(/[\ufffd"]/g, '*');
  }
  if (/^[\p{L}\p{N}_./%@+-]+$/u.test(value) && !/^-/.test(value)) return value;
  return `"${value.replace(/[\\"]/g, '\\$&')}"`;
}

export function term(field: string, value: string): string {
  return `${field}:${quoted(value)}`;
}

// Top-level pieces of an expression: runs without blanks outside of quotes and parentheses.
export function pieces(q: string): string[] {
  const found: string[] = [];
  let piece = '';
  let inQuotes = false;
  let depth = 0;
  for (let i = 0; i < q.length; i++) {
    const c = q[i]!;
    if (c === '\\') {
      piece += c + (q[++i] ?? '');
      continue;
    }
    if (c === '"') inQuotes = !inQuotes;
    if (!inQuotes && c === '(') depth++;
    if (!inQuotes && c === ')') depth--;
    if (!inQuotes && depth <= 0 && /\s/.test(c)) {
      if (piece) found.push(piece);
      piece = '';
    } else {
      piece += c;
    }
  }
  if (piece) found.push(piece);
  return found;
}

// Whether the pieces are joined by AND alone, so that one of them can be taken out.
function isConjunction(parts: string[]): boolean {
  return !parts.some((part) => part === 'OR' || part === 'NOT');
}

export function hasTerm(q: string, wanted: string): boolean {
  const parts = pieces(q);
  return isConjunction(parts) && parts.includes(wanted);
}

export function withTerm(q: string, added: string): string {
  const parts = pieces(q).filter((part) => part !== 'AND');
  if (isConjunction(parts) && parts.includes(added)) return q;
  if (parts.length === 0) return added;
  return parts.includes('OR') ? `(${q.trim()}) ${added}` : `${q.trim()} ${added}`;
}

export function withoutTerm(q: string, removed: string): string {
  return pieces(q)
    .filter((part) => part !== removed && part !== 'AND')
    .join(' ');
}
