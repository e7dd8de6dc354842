"""`verify` on models of keras.applications with drawn weights: does every layer agree, how far, in which time?

    python benchmarks/verify_applications.py [NAME …]

Slow (minutes), so it is no test; docs/internals/verification.md holds the results.
"""

from __future__ import annotations

import resource
import sys
import time

from layerexplain import verify
from layerexplain.oracle.reference import load_keras

NAMES = ("MobileNetV2", "ResNet50", "EfficientNetV2B0", "ConvNeXtTiny", "DenseNet121", "NASNetMobile")


def main() -> None:
    """Prints a row a model; exits with 1 if one of them does not agree."""
    keras = load_keras()
    wrong = False
    print("| model | calls | agree | largest difference of a layer | end to end | seconds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in sys.argv[1:] or NAMES:
        keras.utils.clear_session()
        model = getattr(keras.applications, name)(weights=None)
        begin = time.perf_counter()
        report = verify(model, drawn=True)
        took = time.perf_counter() - begin
        far = max(check.difference or 0.0 for check in report.layers)
        whole = report.whole
        end = "not compared" if whole.difference is None else f"{whole.difference:.1e}"
        agree = len(report.of("agrees"))
        print(f"| {name} | {len(report.layers)} | {agree} | {far:.1e} | {end} | {took:.0f} |", flush=True)
        for check in report.layers:
            if check.status != "agrees":
                print(f"  {check.path} ({check.type}): {check.status}: {check.reason}", file=sys.stderr)
        wrong = wrong or not report.agrees or agree != len(report.layers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\nKeras {keras.__version__}, batch of 2, peak memory {peak:.1f} GB")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
