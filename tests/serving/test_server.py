"""What is looked at before anything is opened."""

from pathlib import Path

import pytest

from gemel.errors import SettingsError
from gemel.serving import Settings, serve


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
