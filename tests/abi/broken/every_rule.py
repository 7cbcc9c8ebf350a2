"""every_rule.py KIT NAME[=RULE]...: each rule of the kit has a plugin that breaks it."""
import subprocess
import sys

listed = subprocess.run([sys.argv[1], "--list"], check=True, capture_output=True, text=True).stdout
rules = {line.split(":")[0] for line in listed.splitlines()}
tried = {entry.split("=")[-1].replace("_", "-") for entry in sys.argv[2:]}
if rules != tried:
    sys.exit(f"without a broken plugin: {sorted(rules - tried)}; no such rule: {sorted(tried - rules)}")
