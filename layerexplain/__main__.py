"""`python -m layerexplain`: the same as the command `layerexplain`."""

from layerexplain.cli.main import main

if __name__ == "__main__":
    main()
