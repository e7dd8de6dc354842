"""Makes the sample files that are not typed by hand, with real Keras 3: `python sample_models/make.py`.

- digits.keras, digits.h5: a small network trained on the 1,797 handwritten digits that scikit-learn ships, saved
  with its optimizer's state, as `fit` leaves it;
- resnet50.json, efficientnet_b0.json: the configurations of two models of `keras.applications`;
- transformer.json: the configuration of a small text classifier with two transformer blocks.

The configurations hold no weights. Seeds are fixed; what differs from run to run are the dates in the archives and,
at most, the last digits of the weights.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def digits() -> Any:
    """Train on 1,437 digits of 8 × 8 pixels, test on the other 360; raises SystemExit below 95 % right."""
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    keras.utils.set_random_seed(7)
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32")
    parts = train_test_split(images, labels, test_size=0.2, random_state=7, stratify=labels)
    train_images, test_images, train_labels, test_labels = parts
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="pixels"),
            layers.Rescaling(1 / 16, name="to_unit_range"),
            layers.Conv2D(12, 3, padding="same", use_bias=False, name="strokes"),
            layers.BatchNormalization(name="strokes_norm"),
            layers.ReLU(name="strokes_relu"),
            layers.MaxPooling2D(name="halve"),
            layers.Conv2D(24, 3, activation="relu", name="shapes"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.25, name="dropout"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_images, train_labels, batch_size=32, epochs=15, verbose=0)
    _, accuracy = model.evaluate(test_images, test_labels, verbose=0)
    print(f"digits: {accuracy:.1%} of {len(test_labels)} test digits right")
    if accuracy < 0.95:
        raise SystemExit("digits: training needs to reach 95 % on the test digits")
    return model


def transformer() -> Any:
    """Tokens and their positions in, four classes out. Id 0 is padding: attention and the mean leave it out.

    Positions count from 1 and are 0 at padding too: Add keeps a mask only where all of its inputs have one.
    Keras writes the mask that the mean takes as operations of the graph, `not_equal` and `logical_or`.
    """
    import keras

    length, vocabulary, width, heads, inner = 64, 8000, 128, 4, 512
    layers = keras.layers
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    positions = keras.Input((length,), dtype="int32", name="positions")
    token_vectors = layers.Embedding(vocabulary, width, mask_zero=True, name="token_embedding")(tokens)
    position_vectors = layers.Embedding(length + 1, width, mask_zero=True, name="position_embedding")(positions)
    x = layers.Add(name="embedded")([token_vectors, position_vectors])
    for number in (1, 2):
        block = f"block{number}"
        normed = layers.LayerNormalization(epsilon=1e-6, name=f"{block}_attention_norm")(x)
        attend = layers.MultiHeadAttention(heads, width // heads, dropout=0.1, name=f"{block}_attention")
        x = layers.Add(name=f"{block}_attention_add")([x, attend(normed, normed)])
        normed = layers.LayerNormalization(epsilon=1e-6, name=f"{block}_feed_forward_norm")(x)
        hidden = layers.Dense(inner, activation="gelu", name=f"{block}_expand")(normed)
        back = layers.Dense(width, name=f"{block}_contract")(hidden)
        back = layers.Dropout(0.1, name=f"{block}_dropout")(back)
        x = layers.Add(name=f"{block}_feed_forward_add")([x, back])
    x = layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean_of_tokens")(x)
    classes = layers.Dense(4, activation="softmax", name="classes")(x)
    return keras.Model([tokens, positions], classes, name="transformer")


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras

    written = []
    model = digits()
    for name in ("digits.keras", "digits.h5"):
        model.save(FOLDER / name)
        written.append(name)
    for name, make in (
        ("resnet50.json", lambda: keras.applications.ResNet50(weights=None)),
        ("efficientnet_b0.json", lambda: keras.applications.EfficientNetB0(weights=None)),
        ("transformer.json", transformer),
    ):
        keras.backend.clear_session()  # resets the counters of automatic names
        (FOLDER / name).write_text(make().to_json() + "\n", "utf-8")
        written.append(name)
    for name in written:
        print(f"{name}: {(FOLDER / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
