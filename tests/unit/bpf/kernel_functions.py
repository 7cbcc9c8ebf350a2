"""Every function of the kernel's own that the programs call must be a weak symbol.

libbpf refuses the whole object for one that is not and that the running kernel does not have, though no program that
is loaded there calls it.

  kernel_functions.py OBJECT
"""

import re
import subprocess
import sys

symbols = subprocess.run(["readelf", "--symbols", "--wide", sys.argv[1]], check=True, capture_output=True, text=True).stdout
wanted = re.findall(r"(\w+)\s+\w+\s+UND (\S+)$", symbols, re.MULTILINE)
strong = [name for binding, name in wanted if binding != "WEAK"]
print("called:", ", ".join(name for _, name in wanted))
if not wanted or strong:
    sys.exit(f"not weak: {', '.join(strong)}" if strong else "none was found: is that the object?")
