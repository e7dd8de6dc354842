"""What running a language model takes: dtypes, machines as they are typed, and each number worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import ArgumentError
from layerexplain.report.serving import BITS, Hardware, ServingOptions, asked_of, bits_of, hardware_of, serving

NAMES = {
    32: "float32 fp32 f32", 16: "float16 bfloat16 fp16 bf16 f16", 8: "float8 int8 fp8 8bit 8-bit", 4: "int4 nf4 fp4 4bit 4-bit",
}  # fmt: skip


@pytest.mark.parametrize(("name", "bits"), [(name, bits) for bits, names in NAMES.items() for name in names.split()])
def test_a_dtype_has_its_bits(name: str, bits: int) -> None:
    assert bits_of(name) == bits


def test_there_are_no_other_dtypes() -> None:
    assert set(BITS) == {name for names in NAMES.values() for name in names.split()}
    with pytest.raises(ArgumentError, match=r"a dtype needs to be known, got 'flot16'; did you mean 'float16'\?"):
        bits_of("flot16")
    with pytest.raises(ArgumentError, match="got 'q'; known are float32, float16, bfloat16, float8, int8, int4, fp32"):
        bits_of("q")


MACHINES: list[tuple[str, float | None, float | None, float | None]] = [
    ("80GB", 80e9, None, None), ("80gib", 80 * 1024.0**3, None, None), ("512MB", 512e6, None, None), ("512KiB", 512 * 1024.0, None, None), ("7B", 7.0, None, None), ("3kB", 3e3, None, None),
    ("2TB", 2e12, None, None), ("1.5PB", 1.5e15, None, None), (".5GB", 0.5e9, None, None), ("1TiB", 1024.0**4, None, None), ("1PiB", 1024.0**5, None, None), ("1MiB", 1024.0**2, None, None),
    ("2x24GB", 48e9, None, None), ("2×24GB", 48e9, None, None), ("2 * 24 GB", 48e9, None, None), ("3x1.5GB", 4.5e9, None, None),
    ("2.0TB/s", None, 2e12, None), ("900GB/s", None, 900e9, None), ("8x1TB/s", None, 8e12, None), ("990TFLOP/s", None, None, 990e12), ("990 TFLOPS", None, None, 990e12), ("1PFLOPs/s", None, None, 1e15), ("5gflop/s", None, None, 5e9),
    ("80GB, 2.0TB/s, 990TFLOP/s", 80e9, 2e12, 990e12), ("80GB,90GB", 90e9, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "memory", "bandwidth", "speed"), MACHINES)
def test_a_machine_is_read(text: str, memory: float | None, bandwidth: float | None, speed: float | None) -> None:
    assert hardware_of(text) == Hardware(memory, bandwidth, speed)


@pytest.mark.parametrize(
    "text", ["", "80", "GB", "80GB 2TB/s", "0GB", "0x3GB", "1x0GB", "-3GB", "80GBs", "1e3GB", "80XB", "1234567x1GB"]
)
def test_what_is_no_machine_is_refused(text: str) -> None:
    with pytest.raises(
        ArgumentError,
        match=r"hardware needs memory, bandwidth and speed, got .*; for example '80GB, 2.0TB/s, 990TFLOP/s'",
    ):
        hardware_of(text)


ASKED: list[tuple[tuple[Any, Any, Any], ServingOptions | None]] = [
    ((None, None, None), None), (("bf16", None, None), ServingOptions("bf16")), ((None, "int4", None), ServingOptions(None, "int4")), ((None, None, "7B"), ServingOptions(None, None, Hardware(7.0, None, None))),
    ((None, None, Hardware(1.0, 2.0, 3.0)), ServingOptions(None, None, Hardware(1.0, 2.0, 3.0))),
]  # fmt: skip


@pytest.mark.parametrize(("given", "asked"), ASKED)
def test_what_is_asked_of_running_it(given: tuple[Any, Any, Any], asked: ServingOptions | None) -> None:
    assert asked_of(*given) == asked


@pytest.mark.parametrize("given", [("x1", None, None), (None, "x1", None)])
def test_an_unknown_dtype_is_refused(given: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="got 'x1'"):
        asked_of(*given)


def model(tokens: int | None, macs: int | None = 500, window: int | None = None) -> Any:
    """1,000 parameters of which 800 take part in each token; a token is kept in 10 bytes, up to a window."""
    return SimpleNamespace(
        params=1000, active=800, tokens=tokens, dtype="bf16", element_bytes=2, needed_macs=macs,
        cache_at=lambda count: 10 * (count if window is None else min(count, window)),
    )  # fmt: skip


def test_each_number_of_serving() -> None:
    found = serving(model(7), 3, "int4", Hardware(1000.0, 9000.0, 1e6), 44)
    # 1,000 · 4 bits; 3 texts of 7 tokens; 3 · 44 bytes of float32 in half as many.
    assert (found.weights, found.cache, found.activations, found.total) == (500, 210, 66, 776)
    assert (found.batch, found.tokens, found.weights_dtype, found.dtype, found.fits) == (3, 7, "int4", "bf16", True)
    # 10⁶ / (2 · 500); 800 · 4 bits are read with the caches for each step of 3 tokens; (1000 - 500) / 30.
    assert (found.prefill, found.read_bytes, found.decoding, found.room) == (1000.0, 400.0, 3 * 9000 / 610, 16)


FITS: list[tuple[int | None, float, int | None, bool | None]] = [
    (7, 775.0, None, True), (7, 570.0, None, True), (7, 569.0, None, False), (None, 499.0, None, False), (None, 500.0, None, None), (7, 775.0, 410, True), (7, 775.0, 412, False),
]  # fmt: skip


@pytest.mark.parametrize(("tokens", "memory", "peak", "fits"), FITS)
def test_whether_it_fits(tokens: int | None, memory: float, peak: int | None, fits: bool | None) -> None:
    """500 bytes of weights and 70 of cache, and half of the peak of float32."""
    assert serving(model(tokens), 1, "int4", Hardware(memory, None, None), peak).fits is fits


ROOM = [
    (500.0, None, 0),
    (499.0, None, 0),
    (509.0, None, 0),
    (510.0, None, 1),
    (600.0, None, 10),
    (600.0, 10, None),
    (599.0, 10, 9),
    (600.0, 11, 10),
]


@pytest.mark.parametrize(("memory", "window", "room"), ROOM)
def test_how_many_tokens_have_room(memory: float, window: int | None, room: int | None) -> None:
    assert serving(model(7, window=window), 1, "int4", Hardware(memory, None, None), None).room == room


def test_what_is_not_known_or_not_asked_is_none() -> None:
    found = serving(model(None, None), 1, "fp32", None, None)
    assert (found.weights, found.cache, found.activations, found.total) == (4000, None, None, None)
    assert (found.fits, found.prefill, found.decoding, found.read_bytes, found.room) == (None,) * 5
    found = serving(model(None, None), 1, "fp32", Hardware(None, 5.0, 5.0), 8)
    assert (found.activations, found.total, found.fits, found.prefill, found.decoding, found.room) == (
        4,
        None,
        None,
        None,
        None,
        None,
    )
