"""Cases of the adaptive pooling layers."""

import random
from typing import Any

from tests.cases import Case, Draw

CASES = [
    Case("AdaptiveAveragePooling1D", {"output_size": 3}, ((7, 2),)),
    Case("AdaptiveAveragePooling2D", {"output_size": (3, 2)}, ((7, 4, 2),)),
    Case("AdaptiveAveragePooling2D", {"output_size": 3, "data_format": "channels_first"}, ((2, 7, 5),)),
    Case("AdaptiveAveragePooling3D", {"output_size": 2}, ((3, 4, 5, 2),)),
    Case("AdaptiveMaxPooling1D", {"output_size": [5]}, ((11, 2),)),
    Case("AdaptiveMaxPooling1D", {"output_size": 5}, ((3, 2),)),
    Case("AdaptiveMaxPooling2D", {"output_size": 4}, ((11, 7, 2),)),
    Case("AdaptiveMaxPooling2D", {"output_size": (4,)}, ((11, 7, 2),)),
    Case("AdaptiveMaxPooling3D", {"output_size": (2, 3, 2)}, ((3, 7, 5, 2),)),
    Case("AdaptiveMaxPooling3D", {"output_size": 2}, ((7, 5, 2),)),
]


def _adaptive(kind: str, rank: int) -> Draw:
    def draw(rng: random.Random) -> Case:
        config: dict[str, Any] = {"output_size": rng.choice([1, 2, 3, 4])}
        if rng.random() < 0.5:
            config["output_size"] = [rng.choice([1, 2, 3, 5]) for _ in range(rank)]
        places = [rng.choice([2, 4, 5, 7, 11]) for _ in range(rank)]
        channels = [rng.choice([1, 2, 3])]
        if rng.random() < 0.3:
            config["data_format"] = "channels_first"
            return Case(f"Adaptive{kind}Pooling{rank}D", config, ((*channels, *places),))
        return Case(f"Adaptive{kind}Pooling{rank}D", config, ((*places, *channels),))

    return draw


DRAWS: dict[str, Draw] = {
    f"Adaptive{kind}Pooling{rank}D": _adaptive(kind, rank) for kind in ("Average", "Max") for rank in (1, 2, 3)
}
