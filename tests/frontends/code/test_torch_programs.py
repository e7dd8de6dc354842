"""Programs of PyTorch, read without running them: against PyTorch, which runs them."""

import inspect
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.library.torch_modules import OF_MODULE
from layerexplain.layers.registry import TORCH, find
from layerexplain.layers.torch.construction import has_parameters
from tests.support.torch_programs import HEAD, PROGRAMS

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]


def _shapes(value: Any) -> list[tuple[int, ...]]:
    if torch.is_tensor(value):
        return [tuple(value.shape)]
    return [shape for one in value if one is not None for shape in _shapes(one)] if isinstance(value, tuple) else []


def _noting(name: str, seen: dict[str, list[tuple[int, ...]]]) -> Any:
    def hook(module: Any, given: Any, out: Any) -> None:
        seen.setdefault(name, _shapes(out))

    return hook


@pytest.mark.parametrize("name", PROGRAMS)
def test_shapes_and_parameters_are_those_of_pytorch(name: str) -> None:
    code, shape, dtype = PROGRAMS[name]
    if name == "einops":
        pytest.importorskip("einops")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    net = namespace["Net"]().eval()
    seen: dict[str, list[tuple[int, ...]]] = {}
    layers = torch.nn.TransformerEncoderLayer | torch.nn.TransformerDecoderLayer | torch.nn.MultiheadAttention
    blocks = [n for n, m in net.named_modules() if isinstance(m, layers)]
    for module_name, module in net.named_modules():
        inside = any(module_name.startswith(f"{block}.") for block in blocks)
        if not inside and (module_name in blocks or not list(module.children())):
            module.register_forward_hook(_noting(module_name, seen))
    batch = 29
    data = torch.zeros(batch, *shape, dtype=torch.int64) if dtype == "int64" else torch.randn(batch, *shape)
    with torch.no_grad():
        result = net(data)

    report = layerexplain.explain(code.encode(), inputs={"x" if dtype != "int64" else "tokens": shape})
    assert report.grade == "complete", (report.notes, report.faults)
    assert report.totals.params == sum(p.numel() for p in net.parameters())
    rows = {row.layer: row for row in report}
    for module_name, shapes in seen.items():
        found = [tuple(batch if size is None else size for size in one) for one in rows[module_name].output_shapes]
        assert found[: len(shapes)] == shapes, module_name
    assert [tuple(batch if size is None else size for size in one.shape) for one in report.outputs] == _shapes(result)
    assert report.to_dict()["model"]["framework"] == "torch"


WITH_UNKNOWN_NAMES = {
    "words": (HEAD + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(vocab), 11)
        self.lstm = nn.LSTM(11, width, batch_first=True)
        self.first = nn.Linear(width, 13)
        self.last = nn.Linear(13, len(classes))

    def forward(self, tokens):
        out, (h, c) = self.lstm(self.embedding(tokens))
        return F.log_softmax(self.last(torch.relu(self.first(out[:, -1]))), dim=1)
""", (7,), "int64", ("first", "embedding", "last", "lstm")),
    "images": (HEAD + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 5)
        self.norm = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 5, 3, padding=1)
        self.fc = nn.Linear(5 * 7 * 9, width)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.conv1(x))), 2)
        return self.fc(self.conv2(x).view(x.size(0), -1))
""", (3, 19, 23), "float32", ("conv1", "norm", "conv2", "fc")),
}  # fmt: skip
"""Programs with names that they do not define: the input, its dtype, and the modules whose outputs are compared."""


@pytest.mark.parametrize("name", WITH_UNKNOWN_NAMES)
def test_what_is_known_beside_unknown_names_is_what_pytorch_computes_for_any_values(name: str) -> None:
    code, shape, dtype, known = WITH_UNKNOWN_NAMES[name]
    report = layerexplain.explain(code.encode(), inputs={"x" if dtype != "int64" else "tokens": shape})
    assert report.grade != "open" and not report.faults
    names = {size.name for size in report.sizes}
    for width in (5, 7):
        namespace: dict[str, Any] = {"vocab": range(31 + width), "classes": "abc"[: width - 4], "width": width}
        exec(code, namespace)
        net, seen = namespace["Net"]().eval(), {}
        for module_name, module in net.named_children():
            module.register_forward_hook(_noting(module_name, seen))
        net(torch.zeros(29, *shape, dtype=getattr(torch, dtype)))
        values = {"len(vocab)": 31 + width, "len(classes)": width - 4, "width": width}
        numbers = report.at(**{missing: values[missing] for missing in names})
        for module_name in known:
            computed = (29, *numbers[module_name].output_shapes[0][1:])
            assert computed == seen[module_name][0], module_name
        for row in numbers:
            counted = [p.numel() for n, p in net.named_parameters() if n.startswith(f"{row.layer}.")]
            assert row.params == sum(counted), row.layer


OF_TORCHVISION = """
alexnet vgg11_bn resnet18 resnext50_32x4d squeezenet1_0 densenet121 mobilenet_v2 mobilenet_v3_small mnasnet0_5
shufflenet_v2_x0_5 efficientnet_b0 regnet_y_400mf convnext_tiny vit_b_16 swin_t swin_v2_t maxvit_t
""".split()  # noqa: SIM905


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_models_of_torchvision_are_read_from_their_source(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    build = models.get_model_builder(name)
    source = inspect.getsourcefile(inspect.unwrap(build))
    weights = next(iter(models.get_model_weights(name)))
    said, size = weights.meta, weights.transforms().crop_size[0]
    report = layerexplain.explain(f"{source}:{name}()", inputs={"x": (3, size, size)})
    assert (report.grade, report.totals.params) == ("complete", said["num_params"])
    assert report.totals.macs is not None
    assert round(report.totals.macs / 1e9, 3) == said["_ops"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("resnet", "resnet18()"),
        ("vision_transformer", "VisionTransformer(depth=2)"),
        ("mlp_mixer", "MlpMixer(num_blocks=2)"),
        ("convmixer", "ConvMixer(64, 3)"),
    ],
)
def test_models_of_timm_have_its_parameters(file: str, model: str) -> None:
    module = pytest.importorskip(f"timm.models.{file}", reason="timm is not installed")
    report = layerexplain.explain(f"{module.__file__}:{model}", inputs={"x": (3, 224, 224)})
    assert report.grade in ("complete", "assumed") and not report.faults
    assert report.totals.params == sum(p.numel() for p in eval(f"module.{model}", {"module": module}).parameters())
    assert report.totals.macs is not None


def test_every_module_has_what_pytorch_gives_it() -> None:
    module = torch.nn.Module()
    public = {name for name in dir(module) if not name.startswith("_")}
    # transformers gives it `smart_apply`, in a process that has imported its models.
    public -= {
        name for name in public if getattr(getattr(module, name), "__module__", "torch").startswith("transformers")
    }
    # Of the names that another version of PyTorch has none may be denied.
    assert public - OF_MODULE == set()
    assert {name for name in OF_MODULE if not hasattr(torch.nn.Module(), name)} <= {"training", "ipu", "mtia"}


def test_modules_without_a_formula_have_parameters_where_pytorch_gives_them() -> None:
    examples = {
        "AdaptiveLogSoftmaxWithLoss": (8, 20, [5]), "CosineEmbeddingLoss": (), "CrossMapLRN2d": (3,), "CTCLoss": (),
        "FractionalMaxPool2d": (2, 3), "GaussianNLLLoss": (), "LazyConv2d": (4, 3), "LazyLinear": (4,),
        "MarginRankingLoss": (), "MultiLabelMarginLoss": (), "Transformer": (8, 2, 1, 1, 8),
        "TripletMarginLoss": (),
    }  # fmt: skip
    known = {name for name in examples if find(f"{TORCH}{name}") is None}
    assert known == set(examples), "it has a formula now: take it off the list"
    for name, arguments in examples.items():
        module = getattr(torch.nn, name)(*arguments)
        assert has_parameters(name) == bool(list(module.parameters())), name


COMPUTED = (
    HEAD
    + """
class NormAct(nn.BatchNorm2d):
    def __init__(self, features, **given):
        super().__init__(features, **given)
        self.act = nn.ReLU()

    def forward(self, x):
        statistics = self.running_mean is None and self.running_var is None
        assert not statistics and not self.training
        x = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, statistics, 0.1, self.eps)
        return self.act(x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = NormAct(3)
        self.conv = nn.Conv2d(3, 5, 3)
        self.second = NormAct(5, eps=1e-3, affine=False)
        self.norm = nn.BatchNorm2d(5)
        self.own = nn.InstanceNorm2d(5)

    def forward(self, x):
        x = self.second(self.conv(self.first(x)))
        norm = self.norm
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, norm.momentum, norm.eps)
        return x if self.own.running_mean is None else x.mean(1)
"""
)


def test_classes_that_compute_with_the_statistics_of_a_normalization_agree_with_pytorch() -> None:
    report = layerexplain.verify(COMPUTED.encode(), inputs={"x": (3, 9, 11)})
    assert report.agrees and {row.status for row in report} == {"agrees"} and report.whole.status == "agrees"
    namespace: dict[str, Any] = {}
    exec(COMPUTED, namespace)
    read = layerexplain.explain(COMPUTED.encode(), inputs={"x": (3, 9, 11)})
    assert (read.grade, read.totals.params) == ("complete", sum(p.numel() for p in namespace["Net"]().parameters()))
    names = {"first.running_mean", "second.running_var", "norm.running_mean", "norm.running_var"}
    assert names <= {row.layer for row in read if row.type == "Buffer"}
