// Fuzzy search of names. Names that hold the pattern as it is are found; only when there are none, those
// that hold its letters in order with gaps, as almost any name does with a short pattern.

function plain(text: string): string {
  return text.toLowerCase().replace(/\s+/g, '');
}

function holdsInOrder(name: string, pattern: string): boolean {
  let at = 0;
  for (const letter of pattern) {
    at = name.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

// Which of the names match; null for an empty pattern, which asks for nothing.
export function fuzzyFind(pattern: string, names: readonly string[]): boolean[] | null {
  const wanted = plain(pattern);
  if (wanted === '') return null;
  const texts = names.map(plain);
  const exact = texts.map((text) => text.includes(wanted));
  return exact.includes(true) ? exact : texts.map((text) => holdsInOrder(text, wanted));
}
