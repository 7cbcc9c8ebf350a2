#!/usr/bin/python3
"""openapi_conformance_test.py SERVER OPENAPI_YAML: whether the API and its description agree.

Every answer must be described and conform; every parameter described must be taken, and its bounds be
those described; the description's own examples must conform, too.
"""
import csv
import io
import itertools
import json
import random
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

try:
    import yaml
    from jsonschema import Draft202012Validator, RefResolver
except ImportError as missing:
    print(f"SKIP: {missing}; install python3-yaml and python3-jsonschema")
    sys.exit(77)

PARAMETER_SAMPLES = {
    "from": ["-15m", "-200s", "2024-05-01T09:50:00Z", "1714557000000"],
    "to": ["now", "1714557600000"],
    "view": ["host", "process", "ip"],
    "layer": ["l4", "l7"],
    "direction": ["incoming", "outgoing", "any"],
    "transport": ["tcp", "udp", "any"],
    "q": ["curl", "-nginx", "server_port:80 OR server_port:443", "status_code:4xx", 'process_name:""'],
    "limit": ["1", "3", "100"],
    "format": ["json", "csv"],
    "sort": ["bytes_written", "-bytes_read"],
    "fields": ["bytes_read,bytes_written"],
    "metrics": ["bytes_written,bytes_read"],
    "step": ["10s", "60s", "5m"],
    "by": ["transport", "client,server", "process_name,server_port"],
    "cursor": [],
    "fill": ["bytes_written"],
    "focus": ["host:web-1", "process:nginx", "nothing"],
    "depth": ["1", "3"],
    "slow": ["0", "1"],
}
BY_ENDPOINT = {
    ("/api/v1/facets", "fields"): ["transport,direction,client,server", "pid,process_name,server_ip,dst_domain"],
    ("/api/v1/connections", "by"): ["ip", "ip_port", "ip_port,process_name,client"],
    ("/api/v1/flows", "fields"): ["time,bytes_read,process_name,dst_ip"],
}
MORE = [
    "/api/v1/summary?layer=l7&view=process&sort=-latency_p95",
    "/api/v1/summary?fields=client,rtt,server&format=csv",
    "/api/v1/summary?from=-1000s&to=-900s",
    "/api/v1/series?layer=l7&metrics=count,rps,latency_p99,error_rate&by=status_code,path",
    "/api/v1/facets?layer=l7&fields=method,path,route,http_version,status_code,truncated",
    "/api/v1/connections?layer=l7&by=ip_port,method,path,status_code",
    "/api/v1/flows?layer=l7&limit=2",
    "/api/v1/flows?layer=l7&slow=1&limit=2",
    "/api/v1/flows?layer=l7&slow=1&format=csv",
    "/api/v1/flows?from=-1000s&to=-900s",
    "/api/v1/map?layer=l7&view=process&fill=latency",
    "/api/v1/map?view=process&limit=1",
    "/api/v1/map?from=-1000s&to=-900s",
    "/api/v1/summary?nothing=1",
    "/api/v1/nothing",
    "/nothing",
]


class Checker:
    def __init__(self, base, description):
        self.base = base
        self.paths = description["paths"]
        self.description = description
        self.resolver = RefResolver("", description)
        self.mistakes = []
        self.checked = 0

    def wrong(self, what):
        self.mistakes.append(what)

    def resolve(self, node):
        while isinstance(node, dict) and set(node) == {"$ref"}:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def conforms(self, value, schema, what):
        self.checked += 1
        for error in itertools.islice(Draft202012Validator(schema, resolver=self.resolver).iter_errors(value), 3):
            where = "/".join(str(part) for part in error.absolute_path)
            self.wrong(f"{what}: at {where or 'the top'}: {error.message[:300]}")

    def fetch(self, target):
        try:
            with urllib.request.urlopen(self.base + target, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def get(self, target):
        """Fetches and checks; returns the status and the value, if it is JSON."""
        status, headers, body = self.fetch(target)
        path = target.split("?")[0]
        operation = self.paths.get(path, {}).get("get")
        media_type = headers["Content-Type"].split(";")[0]
        schema = {"$ref": "#/components/schemas/Error"}
        if operation is not None:
            described = self.resolve(operation["responses"].get(str(status)))
            if described is None:
                self.wrong(f"{target}: status {status} is not described")
                return status, None
            if media_type not in described["content"]:
                self.wrong(f"{target}: {media_type} is not described")
                return status, None
            schema = described["content"][media_type]["schema"]
        if "charset=utf-8" not in headers["Content-Type"]:
            self.wrong(f"{target}: no charset")
        if media_type == "text/csv":
            self.check_csv(target, body.decode())
        if media_type != "application/json":
            return status, None
        value = json.loads(body)
        self.conforms(value, schema, target)
        return status, value

    def check_csv(self, target, text):
        self.checked += 1
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        if any(len(row) != len(rows[0]) for row in rows):
            self.wrong(f"{target}: rows of different lengths")

    def samples(self, path, name):
        return BY_ENDPOINT.get((path, name), PARAMETER_SAMPLES[name])

    def check_parameters(self, path, operation):
        parameters = [self.resolve(one) for one in operation.get("parameters", [])]
        for parameter in parameters:
            name, schema = parameter["name"], parameter["schema"]
            for sample in self.samples(path, name):
                status, _ = self.get(f"{path}?{urllib.parse.urlencode({name: sample})}")
                if status != 200:
                    self.wrong(f"{path}: {name}={sample} is described but answered with {status}")
            if "enum" in schema and schema["enum"] != self.samples(path, name):
                self.wrong(f"{path}: not every {name} is sampled")
            for bound, beyond in (("minimum", -1), ("maximum", 1)):
                if bound not in schema:
                    continue
                inside, outside = (self.get(f"{path}?{name}={schema[bound] + add}")[0] for add in (0, beyond))
                if inside != 200 or outside != 400:
                    self.wrong(f"{path}: the {bound} of {name} is not {schema[bound]}")
        known = {parameter["name"] for parameter in parameters}
        for name in set(PARAMETER_SAMPLES) - known:
            if self.get(f"{path}?{name}=1")[0] != 400:
                self.wrong(f"{path} takes {name}, which is not described")
        return known

    def check_mixtures(self, path, known, count):
        for _ in range(count):
            names = random.sample(sorted(known - {"cursor"}), random.randint(0, len(known) - 1))
            query = {name: random.choice(self.samples(path, name)) for name in names}
            self.get(f"{path}?{urllib.parse.urlencode(query)}")

    def check_examples(self):
        for path, methods in self.paths.items():
            for method, operation in methods.items():
                for status, response in operation["responses"].items():
                    for media_type, content in self.resolve(response).get("content", {}).items():
                        examples = [one["value"] for one in content.get("examples", {}).values()]
                        examples += [content["example"]] if "example" in content else []
                        for example in examples:
                            self.conforms(example, content["schema"], f"example of {method} {path} {status}")

    def check_paging(self):
        cursor, records = "", 0
        for _ in range(1000):
            _, page = self.get(f"/api/v1/flows?limit=9&from=-200s&cursor={cursor}")
            records += len(page["data"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        if records != 100:
            self.wrong(f"paging gives {records} records instead of 100")


def check(base, openapi_file):
    with open(openapi_file, encoding="utf-8") as file:
        text = file.read()
    checker = Checker(base.rstrip("/"), yaml.safe_load(text))
    if checker.fetch("/api/v1/openapi.yaml")[2].decode() != text:
        checker.wrong("the description served is not the one in the repository")
    checker.check_examples()
    for path, methods in checker.paths.items():
        if "get" not in methods:
            continue
        checker.get(path)
        if path in ("/", "/healthz", "/metrics", "/api/v1/openapi.yaml"):
            continue
        known = checker.check_parameters(path, methods["get"])
        if known:
            checker.check_mixtures(path, known, 60)
    for target in MORE:
        checker.get(target)
    checker.check_paging()
    return checker


def main():
    random.seed(1)
    with subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            checker = check(server.stdout.readline().strip(), sys.argv[2])
        finally:
            server.stdin.close()
            server.wait(10)
    for mistake in checker.mistakes:
        print(mistake)
    print(f"{checker.checked} answers checked, {len(checker.mistakes)} mistakes")
    if checker.checked < 500:
        print("too few answers were checked for this to mean anything")
        return 1
    return 1 if checker.mistakes or server.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
