"""What is looked at before anything is opened."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gemel import inputs
from gemel.errors import SettingsError
from gemel.serving import Settings, serve, server


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used(
    tmp_path: Path, model_file: Path, content: str | None
) -> None:
    pem, said = tmp_path / "tls.pem", []
    if content is not None:
        pem.write_text(content)
    settings = Settings(port=0, certificate=pem, private_key=pem)
    with pytest.raises(SettingsError, match=r"cannot use the certificate .*tls\.pem"):
        serve(model_file, str(tmp_path / "g.gallery"), settings, say=said.append)
    assert not said
    assert not (tmp_path / "g.gallery").exists()


def test_an_input_of_a_users_own_is_what_models_are_loaded_with(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def live(*_: object, input: object) -> None:
        given.append(input)
        raise KeyboardInterrupt

    def make_app(open_live: Callable[[], object], _: Settings) -> object:
        return open_live()

    monkeypatch.setattr(server, "Live", live)
    monkeypatch.setattr(server, "make_app", make_app)
    own = inputs.Numbers(2)
    with pytest.raises(KeyboardInterrupt):
        serve(str(model_file), str(tmp_path / "g.gallery"), Settings(port=0), input=own)
    assert given == [own]
