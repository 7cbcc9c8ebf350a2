"""header_prefix.py OLDER NEWER...: each header may only add to the one before it.

What counts as an addition is the policy at the top of weir_abi.h: members at the end of structs, constants, new
structs, typedefs and macros. Everything else that differs is an error. Comments do not count.
"""
import pathlib
import re
import sys

# The version itself, which a new header changes of course.
MAY_CHANGE = {"WEIR_ABI_MINOR"}


def plain(path):
    """The header without comments and includes, its macros still there."""
    text = pathlib.Path(path).read_text()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = text.replace("\\\n", " ")
    return re.sub(r"^\s*#\s*include.*$", "", text, flags=re.M)


def words(text):
    return " ".join(re.findall(r"\w+|[^\w\s]", text))


def contents(path):
    """{name: [parts]}: of a struct its members, of a macro and a typedef what they stand for."""
    text = plain(path)
    found = {}
    for name, value in re.findall(r"^\s*#\s*define\s+(\w+)\b(.*)$", text, re.M):
        # A macro that is made differently for C and C++ has two values; both have to stay.
        found.setdefault("macro " + name, []).append(words(value))
    code = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    structs = re.compile(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*(\w+)\s*;", re.S)
    for tag, members, name in structs.findall(code):
        assert tag == name, f"struct {tag} has the name {name}"
        found["struct " + name] = [words(member) for member in members.split(";") if member.strip()]
    for line in re.findall(r"typedef\s+[^;{}]*;", structs.sub("", code)):
        name = re.search(r"\(\s*\*\s*(\w+)\s*\)", line) or re.search(r"(\w+)\s*;$", line)
        found["typedef " + name[1]] = [words(line)]
    return found


def breaks(older, newer):
    """What the newer header changes that it may not, as sentences."""
    before, after = contents(older), contents(newer)
    for name, parts in before.items():
        if name not in after:
            yield f"{name} is gone"
        elif name.split()[1] in MAY_CHANGE:
            continue
        elif name.startswith("struct "):
            for number, (old, new) in enumerate(zip(parts, after[name])):
                if old != new:
                    yield f"{name}, member {number}: \"{old}\" became \"{new}\""
            if len(after[name]) < len(parts):
                yield f"{name} has lost members"
        elif parts != after[name]:
            yield f"{name}: {parts} became {after[name]}"


def main(paths):
    found = [f"{older} -> {newer}: {problem}"
             for older, newer in zip(paths, paths[1:]) for problem in breaks(older, newer)]
    print("\n".join(found) or f"{len(paths)} headers, each one holds the one before it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
