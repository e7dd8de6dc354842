"""Addresses of the hub of Hugging Face, `hf://owner/model`: the real huggingface_hub, and a hub on the loopback."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.support.safetensors_files import model_folder
from tests.support.served import Handler, Server

hub = pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.torch  # with which huggingface_hub comes


class HubHandler(Handler):
    """Answers as the hub does: what a repository is, what is in it, and ranges of its files."""

    def answer_as(self, path: str) -> None:
        """Answer one request."""
        name = path.removeprefix("owner/tiny/resolve/main/")
        if name != path:
            self.as_usual(name)
        elif path.startswith("api/models/owner/tiny/tree/main"):
            files = sorted(self.server.root.iterdir())
            self.as_json([{"type": "file", "path": one.name, "size": one.stat().st_size, "oid": "0"} for one in files])
        elif path == "api/models/owner/tiny":
            self.as_json({"id": "owner/tiny", "modelId": "owner/tiny", "sha": "0" * 40, "siblings": []})
        else:
            self.as_status("404")

    def as_json(self, document: Any) -> None:
        """Answer with a document."""
        body = json.dumps(document).encode()
        self.head(200, len(body), {"Content-Type": "application/json"})
        self.write(body)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path)
    server.RequestHandlerClass = HubHandler
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    endpoint = server.url("").rstrip("/")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    hub.HfFileSystem.clear_instance_cache()
    yield server
    server.shutdown()
    server.server_close()
    hub.HfFileSystem.clear_instance_cache()


def test_a_model_of_the_hub_is_read_by_its_headers(served: Server) -> None:
    sizes = {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 2, "vocab_size": 4096}
    config = {"model_type": "llama", "num_attention_heads": 8, "tie_word_embeddings": True, **sizes}
    block = "model.layers.{}."
    shapes = {
        "model.embed_tokens.weight": (4096, 512),
        "model.norm.weight": (512,),
        **{f"{block.format(i)}self_attn.{one}_proj.weight": (512, 512) for i in (0, 1) for one in "qkvo"},
        **{f"{block.format(i)}mlp.{one}_proj.weight": (1024, 512) for i in (0, 1) for one in ("gate", "up")},
        **{f"{block.format(i)}mlp.down_proj.weight": (512, 1024) for i in (0, 1)},
        **{f"{block.format(i)}{one}_layernorm.weight": (512,) for i in (0, 1) for one in ("input", "post_attention")},
    }
    model_folder(served.root, config, shapes)
    report = layerexplain.explain("hf://owner/tiny", detail=False)
    assert report.totals.params == 4096 * 512 + 2 * (4 * 512**2 + 3 * 512 * 1024 + 2 * 512) + 512
    assert report.notes == layerexplain.explain(str(served.root), detail=False).notes  # the headers fit
    assert 4 * report.totals.params > 25_000_000 > 5_000_000 > served.sent  # ranges, not the file


def test_a_repository_that_is_not_there_is_one_line(served: Server) -> None:
    with pytest.raises(layerexplain.LayerExplainError) as caught:
        layerexplain.explain("hf://owner/other", detail=False)
    assert "\n" not in str(caught.value)
