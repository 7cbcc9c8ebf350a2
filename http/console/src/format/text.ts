// Text that came from traffic or from processes, made safe to look at.
//
// The page only ever makes text nodes of it, so it cannot become markup. What is left are characters
// that hide, reorder or erase their neighbours: controls, bidirectional overrides, zero-width and
// tag characters. They are shown by their code, so that what is read is what was sent.

const special =
  // C0, DEL, C1; soft hyphen; Arabic letter mark; Mongolian vowel separator; zero width, marks,
  // separators, embeddings, overrides; invisible operators, isolates; byte order mark; annotation;
  // tags; halves of surrogate pairs.
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/u;

export interface TextPart {
  text: string;
  escaped: boolean; // stands for a character that could not be shown as itself
}

export function textParts(raw: string): TextPart[] {
  const parts: TextPart[] = [];
  for (const character of raw) {
    const escaped = special.test(character);
    const text = escaped ? codeOf(character) : character;
    const last = parts[parts.length - 1];
    if (last && !last.escaped && !escaped) last.text += text;
    else parts.push({ text, escaped });
  }
  return parts;
}

function codeOf(character: string): string {
  return `⟨${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

export function visibleText(raw: string): string {
  return special.test(raw)
    ? textParts(raw)
        .map((part) => part.text)
        .join('')
    : raw;
}
