"""Specs that are wrong, and the faults that each must be told of, as `line: fact`."""

ANY_FAULT: list[str] = ["one whose words are the parser's"]

WRONG: dict[str | bytes, list[str]] = {
    "": ["1: is empty; a spec needs `input:` and `layers:`"],
    "# only words\n": ["1: holds nothing but comments; a spec needs `input:` and `layers:`"],
    "hello": ["1: holds the text 'hello', which is not a spec; `input:` and `layers:` are needed"],
    "input: [3]\n": ["1: no `layers:`; a model needs a list of layers"],
    "input: [3]\nlayers: []\n": ["2: `layers` is empty; a model needs a layer"],
    "input: [3]\nlayers: {Dense: 3}\n": ["2: `layers` is a mapping; a list is needed, with `- ` before each layer"],
    "input: [3]\nlayer: [Flatten]\n": ["1: no `layers:`; a model needs a list of layers", "2: unknown key 'layer'; did you mean 'layers'?"],
    "input: [3]\nlayers:\n\t- Dense: 3\n": ["3: the indentation contains a tab; indent with spaces"],
    b"input: [3]\nlayers:\n  - Dense: \xff\n": ["3: the file is not UTF-8 (byte 0xff); save it as UTF-8"],
    "input: [3]\nlayers: [\x01]\n": ["2: holds the control character U+0001; a spec is plain text"],
    "input: [3]\nlayers:\n  - Dense: 3\n---\na: 1\n": ["4: a second document begins (`---`); a spec has one"],
    "input: [3]\nlayers: [Dense: [\n": ANY_FAULT,
    "input: [3]\nlayers:\n  - Dense: 3\n - Dense: 4\n": ANY_FAULT,
    "input: [3]\nlayers:\n  - Dense: *d\n": ["3: *d refers to nothing; `&d` must come before it"],
    "layers: &a [*a]\n": ["1: *a refers to a value that contains it, which never ends"],
    "input: !!python/tuple [3]\nlayers:\n  - Dense: !!int 3\n": [
        "1: the tag !!python/tuple is refused, since tags can run code; write the plain list [a, b]",
        "3: the tag !!int is refused, since tags can run code; write the plain value",
    ],
    "input: [3]\ninput: [4]\nlayers:\n  - Dense: {units: 3, units: 4}\n": [
        "2: 'input' comes twice (first in line 1); a key comes once",
        "4: 'units' comes twice (first in line 4); a key comes once",
    ],
    "input: [3]\nlayers:\n  - Dense: 4\n    name: a\n  - Dense: 10\n      from: a\n": [
        "6: `from:` is indented deeper than `- Dense: 10`, which already has a value; begin it in column 5, below `Dense`"
    ],
    "input: [3]\nlayers:\n  - Dense:\n      units: 3\n        from: a\n": [
        "5: `from:` is indented deeper than `units: 3`, which already has a value; begin it in column 5, below `Dense`"
    ],
    "input: [3]\nlayers:\n  - Dense:\n      units: 3\n        activation: relu\n": [
        "5: `activation:` is indented deeper than `units: 3`, which already has a value; begin it in column 7, below `units`"
    ],
    "input: [3]\nlayers:\n  - Dense: 4\n    name: a\n  - Dense:\n      units: 3\n      from: a\n": [
        "7: `from:` stands among the arguments of Dense; begin it below `Dense`, in its column"
    ],
    "input: [3]\nlayers:\n  - Dense(512)\n  - Flatten()\n  - Bidirectional(LSTM(8))\n": [
        "3: `Dense(512)` is Python; write `- Dense: 512`",
        "4: `Flatten()` is Python; write `- Flatten`",
        "5: `Bidirectional(LSTM(8))` is Python; write `- Bidirectional: {LSTM: {units: 8}}`",
    ],
    "input: [9, 9, 1]\nlayers:\n  - Conv2D(16, (3, 1), activation='relu', use_bias=False)\n": [
        "3: `Conv2D(16, (3, 1), activation='relu', use_bias=False)` is Python; write "
        "`- Conv2D: {filters: 16, kernel_size: [3, 1], activation: relu, use_bias: false}`"
    ],
    "input: [3]\nlayers:\n  - Dense 512\n  - Dense:512\n  - Dense=512\n": [
        f"{line}: `Dense{sign}512` is one word in YAML; write `- Dense: 512`, with a blank after the colon"
        for line, sign in ((3, " "), (4, ":"), (5, "="))
    ],
    "input: [3]\nlayers:\n  - Dense(n)\n": ["3: the value of 'n' is not known here; write it as a number or in quotes: 'n'"],
    "input: [28, -1]\nlayers: [Flatten]\n": ["1: shape has the size -1; sizes are whole numbers from 1, null for unknown, or names under sizes:"],
    "input: 28x28\nlayers: [Flatten]\n": ["1: shape is the text '28x28'; a list of sizes is needed, like [28, 28, 1]"],
    "input: {shap: [3]}\nlayers: [Flatten]\n": [
        "1: an input has no shape; give one, like {shape: [28, 28, 1]}",
        "1: unknown key 'shap' of an input; did you mean 'shape'?",
    ],
    "input: {shape: [3], dtyp: int32}\nlayers: [Flatten]\n": ["1: unknown key 'dtyp' of an input; did you mean 'dtype'?"],
    "input: [3]\nlayers:\n  - Dnse: 3\n": ["3: unknown layer type 'Dnse'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - dense: 3\n": ["3: unknown layer type 'dense'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - Xyzzy\n": ["3: unknown layer type 'Xyzzy'; `layerexplain layer` lists all types"],
    "input: [3]\nlayers:\n  - {type: Dnse}\n": ["3: unknown layer type 'Dnse'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - {type: 3}\n": ["3: `type` is the number 3; the name of a layer type is needed"],
    "input: [3]\nlayers:\n  - 3\n": ["3: a layer is the number 3; a type is needed, like `- Flatten` or `- Dense: 10`"],
    "input: [3]\nlayers:\n  - [Dense]\n": ["3: a layer is a list; a type is needed, like `- Flatten` or `- Dense: 10`"],
    "input: [3]\nlayers:\n  - name: x\n": ["3: a layer has no type; write one, like `- Dense: 10`"],
    "input: [3]\nlayers:\n  - Add: 3\n": ["3: Add takes no arguments, got the number 3; write `- Add`"],
    "input: [3]\nlayers:\n  - Dense: 3\n    Flatten:\n": ["3: one item names several layers (Dense, Flatten); each needs its own `- `"],
    "input: [3]\nlayers:\n  - Dense:\n    units: 3\n": [
        "4: unknown key 'units' beside Dense; the arguments of Dense stand in braces after it"
        " (`- Dense: {units: …}`) or indented below it"
    ],
    "input: [3]\nlayers:\n  - Dense: 3\n    nam: x\n": ["4: unknown key 'nam' beside Dense; did you mean 'name'?"],
    "input: [3]\nlayers:\n  - Dense: 3\n    name: [x]\n": ["4: a name is a list; a text without '/' is needed"],
    "input: [3]\nlayers:\n  - Dense: 3\n    name: a/b\n": ["4: a name is the text 'a/b'; a text without '/' is needed"],
    "input: [3]\nlayers:\n  - Dense: {units: 3, name: a}\n    name: b\n": ["3: two names: 'b' and 'a'; a layer has one"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, name: a}\n  - {type: Dense, units: 4, name: a}\n": [
        "4: two layers are called 'a' (first in line 3); names must differ"
    ],
    "inputs: {a: [3]}\nlayers:\n  - {type: Dense, units: 4, name: a}\n": [
        "1: an input and a layer are both called 'a'; names must differ",
        "3: two layers are called 'a' (first in line 1); names must differ",
    ],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, name: left}\n  - {type: Dense, units: 4, from: lft}\n": [
        "4: `from: lft` names no layer; did you mean 'left'?"
    ],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, from: 3}\n": ["3: `from: 3` names no layer; known here: input"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, from: [[]]}\n": ["3: `from` holds a list; the name of a layer is needed"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, from: []}\n": ["3: `from` is an empty list; name at least one layer"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, from: b}\n  - {type: Dense, units: 4, name: b}\n": [
        "3: `from: b` names a layer that comes later; a layer must stand before those that use it"
    ],
    "input: [3]\nlayers:\n  - {reuse: q}\n": ["3: `reuse: q` names no layer; known here: input"],
    "input: [3]\nlayers:\n  - {reuse: input}\n": ["3: 'input' is an input, which is not called; use `from: input`"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, name: a}\n  - {reuse: a, repeat: 2}\n": ["4: `reuse` with `repeat`; write one item for each call"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, repeat: 0}\n": ["3: `repeat` is the number 0; a whole number from 1 is needed"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, repeat: 1e9}\n": ["3: `repeat` is the number 1000000000.0; a whole number from 1 is needed"],
    "input: [3]\nlayers:\n  - {type: Dense, units: 4, repeat: 1000000000}\n": ["3: more than 100,000 layers; `repeat` less often"],
    "inputs: {a: [3], b: [3]}\nlayers:\n  - Dense: 3\n": ["3: the model has 2 inputs (a, b); say which: `from:`"],
    "input: [3]\nlayers: [Flatten]\noutputs: [flaten]\n": ["3: `outputs: flaten` names no layer; did you mean 'flatten'?"],
    "input: [3]\nlayers: [Flatten]\noutputs: []\n": ["3: `outputs` is empty; name at least one layer"],
    "input: [3]\nlayers: [Flatten]\noutputs: [flatten]\noutput: flatten\n": ["3: `output` and `outputs`; write one of them"],
    "input: [3]\nlayers:\n  - Sequential: [{Dnse: 3}]\n    repeat: 3\n": ["3: unknown layer type 'Dnse'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - Dense: 9999999999999999999999\n": ["3: an integer has 22 digits; sizes need at most 18"],
}  # fmt: skip
