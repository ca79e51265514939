import os

import pytest

from lanet_live.face.offline import offline_options, route_uploads_nowhere


def test_options_trust_no_server():
    c_options = offline_options(b"model").to_ctypes()
    fields = [name for name, *_ in c_options._fields_]
    assert "ca_bundle_path" in fields, "MediaPipe's options changed: check its uploads again"
    assert c_options.ca_bundle_path == os.devnull.encode()
    assert c_options.model_asset_buffer == b"model"


@pytest.mark.parametrize("proxy", ["", "http://proxy.example:3128"])
def test_uploads_have_a_proxy_that_cannot_be_used_whatever_the_user_has_set(monkeypatch, proxy):
    # set first, so that the test's own change to it is undone as well
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("NO_PROXY", "play.googleapis.com")
    route_uploads_nowhere()
    assert os.environ["https_proxy"] == "none://"
    assert "no_proxy" not in os.environ
    assert "NO_PROXY" not in os.environ
