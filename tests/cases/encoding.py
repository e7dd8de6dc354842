"""Cases of the layers that turn numbers and ids into features, and sound into spectra."""

import random
from typing import Any

from tests.cases import Case, Draw

IDS = ("int",)
SMALL = {"fft_length": 16, "sequence_stride": 5, "num_mel_bins": 4, "min_freq": 50.0, "sampling_rate": 1000}

CASES = [
    Case("CategoryEncoding", {"num_tokens": 11}, ((3,),), IDS),
    Case("CategoryEncoding", {"num_tokens": 11, "output_mode": "one_hot"}, ((1,),), IDS),
    Case("CategoryEncoding", {"num_tokens": 11, "output_mode": "one_hot"}, ((None,),), IDS),
    Case("CategoryEncoding", {"num_tokens": 11, "output_mode": "count"}, ((7,),), IDS),
    Case("CategoryEncoding", {"num_tokens": 0}, ((3,),), IDS),
    Case("Discretization", {"bin_boundaries": [-0.5, 0.0, 0.7]}, ((7, 3),)),
    Case("Discretization", {"bin_boundaries": [-0.5, 0.7], "output_mode": "one_hot"}, ((1,),)),
    Case("Discretization", {"bin_boundaries": [-0.5, 0.7], "output_mode": "count"}, ((7,),)),
    Case("Discretization", {"bin_boundaries": [0.5, 0.1]}, ((7,),)),
    Case("Discretization", {}, ((7,),)),
    Case("IntegerLookup", {"vocabulary": [5, 3, 9]}, ((7,),), IDS),
    Case("IntegerLookup", {"vocabulary": [5, 3, 9], "mask_token": 0, "num_oov_indices": 3}, ((7, 2),), IDS),
    Case("IntegerLookup", {"vocabulary": [0, -1, 5, 3], "mask_token": 0}, ((7,),), IDS),
    Case("IntegerLookup", {"vocabulary": [5, 3, 9], "output_mode": "multi_hot"}, ((7,),), IDS),
    Case("IntegerLookup", {"vocabulary": [5, 3, 5]}, ((7,),), IDS),
    Case("STFTSpectrogram", {"frame_length": 7, "frame_step": 3}, ((29, 1),)),
    Case("STFTSpectrogram", {"frame_length": 7, "mode": "psd", "padding": "same"}, ((29, 3),)),
    Case("STFTSpectrogram", {"frame_length": 7, "mode": "stft", "expand_dims": True}, ((None, 2),)),
    Case("STFTSpectrogram", {"frame_length": 7, "mode": "angle", "data_format": "channels_first"}, ((2, 29),)),
    Case("STFTSpectrogram", {"frame_length": 7, "frame_step": 8}, ((29, 1),)),
    Case("MelSpectrogram", SMALL, ((41,),)),
    Case("MelSpectrogram", {**SMALL, "power_to_db": False, "sequence_length": 11}, ((None,),)),
    Case("MelSpectrogram", {**SMALL, "window": "hamming", "ref_power": 0.5, "mag_exp": 1.0}, ((41,),)),
    Case("MelSpectrogram", {**SMALL, "sequence_length": 17}, ((41,),)),
]


def _category(rng: random.Random) -> Case:
    mode = rng.choice(["multi_hot", "one_hot", "count"])
    config: dict[str, Any] = {"num_tokens": rng.randint(2, 12), "output_mode": mode}
    shape: tuple[int | None, ...] = (rng.choice([1, 3, 7, None]),)
    if mode == "one_hot" and rng.random() < 0.4:
        shape = (rng.choice([2, 3]), *shape)
    return Case("CategoryEncoding", config, (shape,), IDS)


def _discretization(rng: random.Random) -> Case:
    edges = [round(rng.uniform(-1.5, 1.5), 2) for _ in range(rng.randint(1, 5))]
    mode = rng.choice(["int", "int", "one_hot", "multi_hot", "count"])
    config = {"bin_boundaries": edges if rng.random() < 0.05 else sorted(edges), "output_mode": mode}
    shape: tuple[int | None, ...] = (rng.choice([1, 3, 7, None]),)
    if mode in ("int", "one_hot") and rng.random() < 0.5:
        shape = (rng.choice([2, 3]), *shape)
    return Case("Discretization", config, (shape,))


def _lookup(rng: random.Random) -> Case:
    mode = rng.choice(["int", "int", "one_hot", "multi_hot", "count"])
    config: dict[str, Any] = {
        "vocabulary": rng.sample(range(1, 12), rng.randint(1, 8)),
        "num_oov_indices": rng.choice([1, 1, 2, 3]),
        "output_mode": mode,
    }
    if rng.random() < 0.5:
        config["mask_token"] = rng.choice([0, 0, 4])
    if rng.random() < 0.3:
        config |= {"max_tokens": rng.choice([8, 14]), "pad_to_max_tokens": True}
    shape: tuple[int | None, ...] = (rng.choice([1, 3, 7]),)
    if mode in ("int", "one_hot") and rng.random() < 0.5:
        shape = (rng.choice([2, 3, None]), *shape)
    return Case("IntegerLookup", config, (shape,), IDS)


def _stft(rng: random.Random) -> Case:
    length = rng.randint(4, 11)
    config: dict[str, Any] = {
        "mode": rng.choice(["log", "magnitude", "psd", "real", "imag", "angle", "stft"]),
        "frame_length": length,
        "padding": rng.choice(["valid", "same"]),
        "expand_dims": rng.random() < 0.4,
    }
    if rng.random() < 0.6:
        config["frame_step"] = rng.randint(1, length)
    if rng.random() < 0.3:
        config["fft_length"] = rng.choice([16, 32])
    samples, channels = rng.choice([23, 29, 31, None]), rng.choice([1, 1, 2, 3])
    if rng.random() < 0.3:
        return Case("STFTSpectrogram", config | {"data_format": "channels_first"}, ((channels, samples),))
    return Case("STFTSpectrogram", config, ((samples, channels),))


def _mel(rng: random.Random) -> Case:
    stride = rng.choice([4, 5, 7])
    config: dict[str, Any] = {
        "fft_length": rng.choice([16, 32]),
        "sequence_stride": stride,
        "num_mel_bins": rng.randint(2, 6),
        "sampling_rate": rng.choice([1000, 8000]),
        "min_freq": rng.choice([20.0, 50.0]),
        "power_to_db": rng.random() < 0.6,
    }
    if rng.random() < 0.4:
        config["sequence_length"] = rng.choice([9, 12, 16])
    if rng.random() < 0.4:
        config |= {"window": rng.choice(["hann", "hamming"]), "mag_exp": rng.choice([1.0, 2.0]), "top_db": 20.0}
    if rng.random() < 0.3:
        config |= {"ref_power": rng.choice([0.5, 2.0]), "max_freq": 450}
    samples = rng.choice([41, 50, 67])
    # Where samples + 1 is a multiple of the stride Keras's shape says a step more than there is.
    return Case("MelSpectrogram", config, ((samples + (samples % stride == stride - 1),),))


DRAWS: dict[str, Draw] = {
    "CategoryEncoding": _category,
    "Discretization": _discretization,
    "IntegerLookup": _lookup,
    "STFTSpectrogram": _stft,
    "MelSpectrogram": _mel,
}
