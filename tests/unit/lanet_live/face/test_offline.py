import os

import pytest

from lanet_live.face.offline import offline_options, route_uploads_nowhere

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture
def no_proxy_set(monkeypatch):
    for name in PROXY_VARIABLES:
        # set first, so that the test's own change to it is undone as well
        monkeypatch.setenv(name, "")


def test_options_trust_no_server():
    c_options = offline_options(b"model").to_ctypes()
    fields = [name for name, *_ in c_options._fields_]
    assert "ca_bundle_path" in fields, "MediaPipe's options changed: check its uploads again"
    assert c_options.ca_bundle_path == os.devnull.encode()
    assert c_options.model_asset_buffer == b"model"


@pytest.mark.usefixtures("no_proxy_set")
def test_uploads_are_routed_to_this_machine():
    route_uploads_nowhere()
    assert os.environ["https_proxy"] == "http://127.0.0.1:9"


@pytest.mark.usefixtures("no_proxy_set")
def test_a_proxy_of_the_user_is_left_alone(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    route_uploads_nowhere()
    assert os.environ["https_proxy"] == ""
    assert os.environ["HTTPS_PROXY"] == "http://proxy.example:3128"
