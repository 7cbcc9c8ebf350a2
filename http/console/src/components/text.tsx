// The only way text from traffic reaches the page: as text nodes, isolated in its writing direction,
// with characters that would hide or reorder others shown by their code.
import { textParts } from '../format/text';
import { none } from '../format/number';

export function Text({ value }: { value: string | number | boolean | null | undefined }) {
  if (value === null || value === undefined || value === '') return <span class="none">{none}</span>;
  return (
    <bdi>
      {textParts(String(value)).map((part) =>
        part.escaped ? (
          <span class="escaped" title="a character that is not shown as itself">
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </bdi>
  );
}
