"""What `deploy/` and its page tell a user to run: it is there, and it is as closed as it says."""

import re
import shlex
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from gemel.cli.app import app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "deploying.md"
SERVE = {
    *("--host", "--port", "--keys", "--tls-cert", "--tls-key", "--audit", "--log-format"),
    *("--max-body", "--max-pixels", "--rate", "--queue"),
}
"""The options of `gemel serve`, for as long as it is not there to be asked."""


def blocks() -> list[str]:
    """The blocks of code on the page."""
    return re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.S | re.M)


def instructions(name: str) -> list[str]:
    """What follows `name` in the last stage of the Dockerfile, a line each."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    last = text[text.rindex("\nFROM ") :]
    return re.findall(rf"^{name} (.*)", last, re.M)


def words_of(name: str) -> list[str]:
    """An instruction in the form that no shell reads."""
    (line,) = instructions(name)
    return list(yaml.safe_load(line))


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def unit() -> dict[str, list[str]]:
    """The settings of the unit, whatever their section."""
    text = (DEPLOY / "gemel.service").read_text().replace("\\\n", "")
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
        found.setdefault(name, []).append(value)
    return found


def gemel_words(line: str) -> list[str] | None:
    """The words after the last `gemel` of a line, if they begin as those of a command do."""
    words = shlex.split(re.split(r" > |\|", line, maxsplit=1)[0])
    places = [place for place, word in enumerate(words) if word.split("/")[-1] == "gemel"]
    if not places:
        return None
    rest = words[places[-1] + 1 :]
    return rest if rest and re.fullmatch("[a-z]+", rest[0]) else None


def all_commands() -> list[list[str]]:
    lines = [line for block in blocks() for line in block.replace("\\\n", "").splitlines()]
    lines += re.findall(r"`(gemel [^`\n]+)`", PAGE.read_text())
    found = [words for line in lines if (words := gemel_words(line))]
    found.append([*words_of("CMD")])
    found.append(compose()["services"]["gemel"]["command"])
    found.append(gemel_words(unit()["ExecStart"][0]) or [])
    return found


def check_words(words: list[str]) -> None:
    """Fail unless the command line reads these words, or names a command; none of it runs."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    if rest[0] == "serve" and "serve" not in command.commands:
        options = {word for word in rest if word.startswith("--")}
        assert options <= SERVE, f"no option: {sorted(options - SERVE)}"
        return
    while hasattr(command, "commands"):
        assert rest, f"half a command: gemel {' '.join(words)}"
        assert rest[0] in command.commands, f"no command: gemel {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    if rest:
        command.make_context("gemel", rest)


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_every_command_is_one(words: list[str]) -> None:
    check_words(words)


def test_commands_are_found_and_wrong_ones_refused() -> None:
    found = {" ".join(words[:2]) for words in all_commands()}
    assert {"keys add", "keys list", "keys remove", "gallery export"} <= found
    assert sum(words[0] == "serve" for words in all_commands()) >= 4
    told = "no command|half a command|[Nn]o (such )?option|Missing|not one of"
    for wrong in (
        "keys forget keys desk",
        "gallery",
        "serve a b --workers 3",
        "keys add keys",
        "keys add keys a --role root",
        "remove a b --hard",
    ):
        with pytest.raises(Exception, match=told):
            check_words(wrong.split())


def test_options_named_in_the_text_exist() -> None:
    text = re.sub(r"^```\n.*?^```", "", PAGE.read_text(), flags=re.S | re.M)
    named = set(re.findall(r"`(--[a-z-]+)[^`]*`", text))
    command: Any = typer.main.get_command(app)
    enrol = {one for option in command.commands["enrol"].params for one in option.opts}
    assert named
    assert named <= SERVE | enrol


def test_the_image_runs_as_nobody_of_weight() -> None:
    assert instructions("USER") == ["10001:10001"]
    order = (DEPLOY / "Dockerfile").read_text()
    assert order.index("USER 10001") < order.index("ENTRYPOINT")
    assert words_of("ENTRYPOINT") == ["gemel"]
    command = words_of("CMD")
    assert "--keys" in command  # it listens to all: never without keys
    assert Path(command[2]).parent.as_posix() in words_of("VOLUME")
    (check,) = instructions("HEALTHCHECK")
    (port,) = instructions("EXPOSE")
    assert f"http://127.0.0.1:{port}/health" in check
    assert command[command.index("--port") + 1] == port
    assert "uid 10001" in instructions("RUN")[0]


def test_the_image_is_built_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
    installs = re.findall(r"pip install (?:.*\\\n)*.*", text)
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in install for install in installs)
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.M)
    assert "--extra-index-url" not in text  # a name of ours could be taken there


def test_the_health_check_can_run() -> None:
    (check,) = instructions("HEALTHCHECK")
    program = yaml.safe_load(check[check.index("CMD") + 3 :])[-1]
    compile(program, "the health check", "exec")


def test_compose_opens_one_door() -> None:
    services = compose()["services"]
    assert set(services) == {"gemel", "db"}
    assert services["gemel"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in services["db"]
    assert services["db"]["networks"] == ["back"]
    assert compose()["networks"]["back"]["internal"] is True
    assert services["gemel"]["read_only"] is True
    assert services["gemel"]["cap_drop"] == ["ALL"]
    for service in services.values():
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service


def test_compose_names_what_is_there() -> None:
    whole = compose()
    service, database = whole["services"]["gemel"], whole["services"]["db"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    for one in whole["services"].values():
        assert set(one["networks"]) <= set(whole["networks"])
        for volume in one["volumes"]:
            assert volume.startswith("./") or volume.split(":")[0] in whole["volumes"]
    assert set(database["secrets"]) == set(whole["secrets"])
    assert "healthcheck" in database
    assert service["depends_on"]["db"]["condition"] == "service_healthy"
    made = "\n".join(blocks())  # what the page says to make
    for path in ("models/model.gemel", "secrets/db_password", "secrets/gemel/gemel_pgpass"):
        assert f"deploy/{path}" in made
    assert "deploy/secrets/gemel:/keys" in made
    assert "/keys/gemel_keys" in made


def test_the_database_keeps_its_data_and_no_password_is_written() -> None:
    database = compose()["services"]["db"]
    assert re.fullmatch(r"pgvector/pgvector:\d+\.\d+\.\d+-pg18(-\w+)?", database["image"])
    # from 18 on the image keeps its data below this folder, and not in /data of it
    assert database["volumes"] == ["db:/var/lib/postgresql"]
    text = "\n".join(path.read_text() for path in DEPLOY.iterdir())
    assert not re.search(r"PASSWORD(?!_FILE)\s*[:=]", text)
    assert not re.search(r"postgresql://[^/\s]*:[^/\s]*@", text + PAGE.read_text())


def test_the_unit_is_hardened() -> None:
    found = unit()
    expected = {
        "User": "gemel",
        "ProtectSystem": "strict",
        "NoNewPrivileges": "true",
        "PrivateTmp": "true",
        "StateDirectory": "gemel",
        "KillSignal": "SIGTERM",
        "CapabilityBoundingSet": "",
        "UMask": "0077",
    }
    assert {name: found[name] for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert int(found["TimeoutStopSec"][0]) >= 10
    words = shlex.split(found["ExecStart"][0])
    assert words[3].startswith("/var/lib/gemel/")
    assert words[words.index("--audit") + 1].startswith("/var/log/gemel/")
    assert words[words.index("--host") + 1] == "127.0.0.1"


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")
    program = tmp_path / "gemel"
    program.touch(mode=stat.S_IRWXU)
    text = (DEPLOY / "gemel.service").read_text()
    copy = tmp_path / "gemel.service"
    copy.write_text(text.replace("/opt/gemel/bin/gemel", str(program)))
    done = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_hadolint_has_no_complaint() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not on this machine")
    subprocess.run(
        [hadolint, "--failure-threshold", "error", str(DEPLOY / "Dockerfile")],
        check=True,
        timeout=60,
    )


def test_the_audit_log_is_rotated_by_moving_it() -> None:
    (block,) = [block for block in blocks() if "rotate" in block]
    assert "copytruncate" not in block
    assert block.startswith("/var/log/gemel/audit.jsonl {")
