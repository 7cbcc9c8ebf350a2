"""Reads line protocol, written from the format's description and not from Weir's encoder."""


class Point:
    def __init__(self, name, tags, fields, time):
        self.name, self.tags, self.fields, self.time = name, tags, fields, time

    def __getitem__(self, key):
        return self.tags[key] if key in self.tags else self.fields[key]

    def get(self, key, default=None):
        return self.tags.get(key, self.fields.get(key, default))


def _split(text, separator, quotes=False):
    """Splits at separators that are neither escaped nor, where asked, inside double quotes."""
    parts, part, i, quoted = [], "", 0, False
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            part += text[i : i + 2]
            i += 2
            continue
        if quotes and c == '"':
            quoted = not quoted
        if c == separator and not quoted:
            parts.append(part)
            part = ""
        else:
            part += c
        i += 1
    if quoted:
        raise ValueError("a string without end: " + text)
    return parts + [part]


def _unescape(text, escaped):
    out, i = "", 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text) and text[i + 1] in escaped:
            i += 1
        out += text[i]
        i += 1
    return out


def _value(text):
    if text.startswith('"'):
        if len(text) < 2 or not text.endswith('"'):
            raise ValueError("bad string: " + text)
        return _unescape(text[1:-1], '"\\')
    if text in ("true", "false"):
        return text == "true"
    if text.endswith("i"):
        return int(text[:-1])
    return float(text)


def parse_line(line):
    sections = [s for s in _split(line, " ", quotes=True)]
    if len(sections) != 3:
        raise ValueError("not three sections: " + line)
    head, body, time = sections
    name, *tag_texts = _split(head, ",")
    tags = {}
    for text in tag_texts:
        key, value = _split(text, "=")
        if not value:
            raise ValueError("a tag without value: " + line)
        tags[_unescape(key, ",= ")] = _unescape(value, ",= ")
    if list(tags) != sorted(tags) or len(tags) != len(tag_texts):
        raise ValueError("tags not sorted or not unique: " + line)
    fields = {}
    for text in _split(body, ",", quotes=True):
        key, value = text.split("=", 1)
        fields[_unescape(key, ",= ")] = _value(value)
    if not fields:
        raise ValueError("no fields: " + line)
    return Point(_unescape(name, ", "), tags, fields, int(time))


def parse(text):
    return [parse_line(line) for line in text.split("\n") if line]
