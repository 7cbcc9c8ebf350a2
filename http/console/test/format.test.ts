import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  formatBytes,
  formatCompact,
  formatCount,
  formatMeasure,
  formatMicroseconds,
  formatNanoseconds,
  formatRate,
  formatShare,
} from '../src/format/number';
import { textParts, visibleText } from '../src/format/text';
import { formatRange, formatSpan, fromInputValue, toInputValue } from '../src/format/time';
import type { Unit } from '../src/model/measures';

test('bytes are in binary units with three significant digits', () => {
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(1023.9), '1 KiB');
  assert.equal(formatBytes(1000), '1000 B');
  assert.equal(formatBytes(1024), '1 KiB');
  assert.equal(formatBytes(1536), '1.5 KiB');
  assert.equal(formatBytes(125 * 1024), '125 KiB');
  assert.equal(formatBytes(12.34 * 1024 ** 3), '12.3 GiB');
  assert.equal(formatBytes(2 ** 70), '1024 EiB');
});

test('rounding never shows a thousand of a smaller unit', () => {
  assert.equal(formatNanoseconds(999_999), '1 ms');
  assert.equal(formatMicroseconds(999.99), '1 ms');
});

test('durations take the unit that fits', () => {
  assert.equal(formatNanoseconds(0), '0 ns');
  assert.equal(formatNanoseconds(850), '850 ns');
  assert.equal(formatNanoseconds(41_500), '41.5 µs');
  assert.equal(formatNanoseconds(2_500_000_000), '2.5 s');
  assert.equal(formatNanoseconds(90e9), '1.5 min');
  assert.equal(formatMicroseconds(0), '0 µs');
  assert.equal(formatMicroseconds(41.5), '41.5 µs');
  assert.equal(formatMicroseconds(0.25), '250 ns');
  assert.equal(formatMicroseconds(12_345), '12.3 ms');
});

test('counts, rates and shares', () => {
  assert.equal(formatCount(0), '0');
  assert.equal(formatCount(1_234_567), '1,234,567');
  assert.equal(formatCount(12_345_678), '12.3 M');
  assert.deepEqual([9999, 10_000, 106_386, 2_500_000].map(formatCompact), ['9,999', '10 k', '106 k', '2.5 M']);
  assert.equal(formatRate(0), '0/s');
  assert.equal(formatRate(0.001), '<0.01/s');
  assert.equal(formatRate(7.125), '7.13/s');
  assert.equal(formatRate(12_345.6), '12,346/s');
  assert.equal(formatShare(0), '0 %');
  assert.equal(formatShare(0.00001), '<0.01 %');
  assert.equal(formatShare(0.0452), '4.52 %');
  assert.equal(formatShare(1), '100 %');
});

test('what has no value is a dash in every unit, and 0 is not', () => {
  for (const unit of ['B', 'us', 'ns', '1/s', 'share', 'count'] satisfies Unit[]) {
    assert.equal(formatMeasure(null, unit), '–');
    assert.equal(formatMeasure(undefined, unit), '–');
    assert.equal(formatMeasure(NaN, unit), '–');
    assert.match(formatMeasure(0, unit), /^0/);
  }
});

test('markup in text is text', () => {
  assert.equal(visibleText('/<script>alert(1)</script>'), '/<script>alert(1)</script>');
});

test('controls, bidirectional overrides and invisible characters are shown by their code', () => {
  assert.equal(visibleText('evil\u202etxt.exe'), 'evil⟨202E⟩txt.exe');
  assert.equal(visibleText('a\u0000b\u001b[31m\u007f\u0085'), 'a⟨0000⟩b⟨001B⟩[31m⟨007F⟩⟨0085⟩');
  assert.equal(visibleText('\u2066x\u2069 \u200b\ufeff\u00ad'), '⟨2066⟩x⟨2069⟩ ⟨200B⟩⟨FEFF⟩⟨00AD⟩');
  assert.equal(visibleText('line\nbreak\u2028'), 'line⟨000A⟩break⟨2028⟩');
  assert.equal(visibleText('tag\u{e0041}'), 'tag⟨E0041⟩');
  assert.equal(visibleText('half \ud83d'), 'half ⟨D83D⟩');
});

test('letters of any script and emoji stay as they are', () => {
  const text = 'naïve 名前 עברית \u{1f600}';
  assert.equal(visibleText(text), text);
  assert.deepEqual(textParts(text), [{ text, escaped: false }]);
});

test('parts keep what is escaped apart', () => {
  assert.deepEqual(textParts('a\u202eb'), [
    { text: 'a', escaped: false },
    { text: '⟨202E⟩', escaped: true },
    { text: 'b', escaped: false },
  ]);
});

test('a range names the day once when it is one day', () => {
  const from = new Date(2026, 4, 1, 10, 0).getTime();
  assert.equal(formatRange(from, from + 900_000), '01 May 10:00 – 10:15');
  assert.equal(formatRange(from, from + 86_400_000), '01 May 10:00 – 02 May 10:00');
});

test('spans', () => {
  assert.deepEqual([10, 60, 900, 3600, 5400].map(formatSpan), ['10 s', '1 min', '15 min', '1 h', '1.5 h']);
});

test('the inputs of the custom range give back what they were given', () => {
  const ms = new Date(2026, 0, 31, 23, 59, 58).getTime();
  assert.equal(fromInputValue(toInputValue(ms)), ms);
  assert.equal(fromInputValue(''), null);
});
