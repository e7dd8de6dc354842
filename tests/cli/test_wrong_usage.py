"""Wrong usage and wrong files at the command line: the exit code, and the one line that says what is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program

FILES = {
    "m.yaml": "input: [7]\nlayers:\n  - Dense: 5\n    name: first\n  - Dense: 3\n    name: second\n",
    "bad.json": "{\n",
    "three.json": "3\n",
}

ROWS = [
    ('summary m.yaml --set 7', 2, "Invalid value for '--set': --set: '7' is not of the form NAME=VALUE; write --set classes=10, or for a value without a name --set 'len(words)=5000'"),
    ('summary m.yaml --set =5', 2, "Invalid value for '--set': --set: '=5' is not of the form NAME=VALUE; write --set classes=10, or for a value without a name --set 'len(words)=5000'"),
    ('summary m.yaml --columns layer,prams', 2, "Invalid value for '--columns': no column 'prams'; did you mean 'params'?"),
    ('summary m.yaml --columns layer --format json', 2, '--columns cannot be used with json, which always has every field'),
    ('summary m.yaml --batch 3 --format csv', 2, '--batch cannot be used with csv, which has one row per layer and no totals'),
    ('summary m.yaml --optimizer adam --format jsonl', 2, '--optimizer cannot be used with jsonl, which has one row per layer and no totals'),
    ('summary m.yaml --input a-b', 2, "Invalid value for '--input': 'a-b' is not of the form [NAME=]SHAPE; write 224,224,3 or 28x28x1 or tokens=128"),
    ('summary m.yaml --input x=3', 1, "m.yaml: --input x=…: the model has no input 'x'; its inputs: input"),
    ('summary m.yaml --input 3 --input 5', 1, "m.yaml: --input is given 2 times; the model's inputs: input"),
    ('summary m.yaml --code nowhere.yaml', 1, 'nowhere.yaml: no such file'),
    ('summary m.yaml --hardware fast', 1, "m.yaml: hardware needs memory, bandwidth and speed, got 'fast'; for example '80GB, 2.0TB/s, 990TFLOP/s', '2xH100' or 'RTX 4090'"),
    ('summary m.yaml --max-download much', 2, "Invalid value for '--max-download': 'much' is not a size; write 500MB or 2GiB"),
    ('explain m.yaml --only formula,cots', 2, "Invalid value for '--only': no section 'cots'; did you mean 'cost'?"),
    ('explain m.yaml --full --only cost', 2, '--full shows all sections and --only some of them; give one of the two'),
    ('explain m.yaml first --training', 2, '--training explains a step of the whole model; leave out the names of layers'),
    ('explain m.yaml --vs second', 2, '--vs compares two layers: MODEL LAYER --vs [MODEL] LAYER'),
    ('explain m.yaml first --vs', 2, '--vs compares two layers: MODEL LAYER --vs [MODEL] LAYER'),
    ('explain m.yaml * --vs second', 2, "--vs compares two layers, but '*' means input, first, second"),
    ('explain m.yaml --optimizer sgd', 2, '--optimizer needs --training'),
    ('explain m.yaml --loss mse', 2, '--loss needs --training'),
    ('explain m.yaml --training --loss msee', 1, "m.yaml: `loss` names no loss of Keras: 'msee'; did you mean 'mse'?"),
    ('explain m.yaml --data X', 2, "Invalid value for '--data': 'X' is not of the form NAME=SHAPE or NAME=FILE; write X=100,9"),
    ('explain m.yaml --data X=', 2, "Invalid value for '--data': 'X=' is not of the form NAME=SHAPE or NAME=FILE; write X=100,9"),
    ('explain m.yaml firts', 1, "m.yaml: no layer matches 'firts'; did you mean 'first'?"),
    ('explain nowhere.yaml', 1, 'nowhere.yaml: no such file'),
    ('layer Dense unit=3 --input 3', 2, "Dense has no argument 'unit', did you mean 'units'? It takes units, activation, use_bias, lora_rank, lora_alpha, quantization_config, dtype"),
    ('layer Dense 3 --input 5 --vs', 2, '--vs needs a second layer: layerexplain layer LSTM 8 --vs GRU 8 --input 10,4'),
    ('layer Dens 3', 2, "there is no layer type 'Dens'; did you mean 'Dense'?"),
    ('layer Add --input 3', 2, 'Add needs several tensors; give --input for each, for example --input 784 --input 784'),
    ('layer --input 3', 2, '--input needs the TYPE of a layer: layerexplain layer Dense units=10 --input 784'),
    ('layer Dense 3 --input 5 --input 7', 1, "layer 'dense': Dense takes 1 tensor (x), got 2; join them first"),
    ('layer Conv2D 3 3 --input 5', 1, "layer 'conv2d': Conv2D needs an input with 4 axes (batch, rows, columns, channels), got (None, 5) with 2"),
    ('layer Dense 3 4 5 6 --input 5', 2, "'6' is not of the form ARG=VALUE; write for example units=512"),
    ('layer Dense units=(3 --input 5', 2, "units=(3: ')' is missing at the end"),
    ('trace m.yaml --at 0,1', 2, '--at needs one LAYER: layerexplain trace SOURCE LAYER --at 0,3,4,7'),
    ('trace m.yaml first --at 0,1 --save a.npz', 2, '--save writes whole arrays and cannot be used with --at'),
    ('trace m.yaml --target zeros', 2, '--target needs --gradient'),
    ('trace m.yaml --loss mse', 2, '--loss needs --gradient'),
    ('trace m.yaml first --gradient --step --at 0,1', 2, '--step updates whole weights and cannot be used with --at'),
    ('trace m.yaml first --gradient --at 0,1 --result 1', 2, '--result picks an output; with --gradient name a tensor, as in --at W:2,0,3,5'),
    ('trace m.yaml * --at 0,1', 1, "m.yaml: --at needs one layer, and '*' matches 3: input, first, second"),
    ('trace m.yaml first --at 0,x', 2, "Invalid value for '--at': '0,x' is not an index; write one number per axis, the batch first: 0,3,4,7"),
    ('trace m.yaml first --at 0,9', 1, "m.yaml: layer 'first': returns (1, 5): index 2 of --at needs to be from 0 to 4, got 9"),
    ('trace m.yaml --values 3', 1, '3: no such file; give an .npy, .npz or .png file, zeros, ones or random; give the unknown sizes of an input with --input 3'),
    ('trace m.yaml --max-memory 0', 2, "Invalid value for '--max-memory': '0' is not a size; write gigabytes (0.5), or a number with its unit: 500MB, 2GiB"),
    ('verify m.yaml --tolerance 2', 2, "Invalid value for '--tolerance': 2.0 is not a fraction; give a number between 0 and 1"),
    ('verify m.yaml --loss mse', 2, '--loss needs --gradient'),
    ('check m.yaml --select xyz', 2, "Invalid value for '--select': no rule 'xyz'; check --list has all rules"),
    ('check m.yaml --max memory', 2, "Invalid value for '--max': 'memory'; a budget is NAME=NUMBER, like memory=50MB"),
    ('check m.yaml --max memory=x', 2, "Invalid value for '--max': 'memory=x'; a budget is NAME=NUMBER, like memory=50MB"),
    ('check m.yaml --max mem=5', 1, "m.yaml: no budget 'mem'; did you mean 'memory'?"),
    ('check', 2, "Missing argument 'SOURCE...'."),
    ('diff m.yaml nowhere.yaml', 2, 'nowhere.yaml: no such file'),
    ('convert m.yaml -', 1, "-: the format to write is unknown: end the target with '.keras', '.py', '.yaml' or '.json', or give --format"),
    ('convert m.yaml a.txt', 1, "a.txt: the format to write is unknown: end the target with '.keras', '.py', '.yaml' or '.json', or give --format"),
    ('convert m.yaml m.yaml', 1, 'm.yaml: already exists; use --overwrite'),
    ('draw m.yaml -o a.txt', 1, 'a.txt: its extension needs to be svg, png, pdf, dot, mmd; or give the format with --format'),
    ('draw m.yaml --show type,shape', 2, "Invalid value for '--show': no part of a box 'shape'; did you mean 'shapes'?"),
    ('page m.yaml --vocabulary bad.json', 2, "Invalid value for '--vocabulary': bad.json is not JSON: Expecting property name enclosed in double quotes: line 2 column 1 (char 2)"),
    ('page m.yaml --vocabulary three.json', 2, "Invalid value for '--vocabulary': three.json needs a list of words, or an object from words to ids"),
    ('page m.yaml --vocabulary nowhere.txt', 2, "Invalid value for '--vocabulary': nowhere.txt cannot be read: [Errno 2] No such file or directory: 'nowhere.txt'"),
    ('page m.yaml --overlay three.json', 2, "Invalid value for '--overlay': three.json needs an object from layer names to numbers, got 3"),
    ('page m.yaml --overlay bad.json', 2, "Invalid value for '--overlay': bad.json cannot be read as JSON: Expecting property name enclosed in double quotes: line 2 column 1 (char 2)"),
    ('page m.yaml --layers a', 2, '--layers and --max-values need the values of an input, as in --values random'),
    ('page m.yaml --max-values 5', 2, '--layers and --max-values need the values of an input, as in --values random'),
    ('page m.yaml --input random --vs m.yaml', 2, '--vs shows two models and cannot be used with values of inputs or with --overlay'),
    ('view -', 2, 'view needs a file to watch; for standard input use layerexplain page -'),
    ('catalogue --to a.jsonl', 2, 'give a SOURCE, or a list of them with --from-file'),
    ('catalogue - --to a.jsonl', 2, "'-' cannot be a SOURCE of a catalogue; --from-file - reads names from standard input"),
    ('catalogue m.yaml --to a.jsonl --resume --overwrite', 2, '--resume continues a table and --overwrite replaces it; give one of the two'),
    ('catalogue m.yaml --to a.txt', 1, 'a.txt: needs to end with .parquet, .jsonl or .csv'),
    ('catalogue --from-file nowhere.txt --to a.jsonl', 1, 'nowhere.txt: cannot be read: No such file or directory'),
    ('weights m.yaml --columns rech', 2, "Invalid value for '--columns': no column 'rech'; did you mean 'reach'?"),
    ('layer Dense 3 --vs LSTM 4 --format json', 2, 'Dense needs the shape of its input; add for example --input 784'),
    ('layer Dense(3,input_shape=(5,)) --vs Nothing', 2, "there is no layer type 'Nothing'; did you mean 'Hinge'?"),
    ('layer Dense 3 --vs LSTM(3,input_shape=(5,7)) --format json', 2, 'Dense needs the shape of its input; add for example --input 784'),
    ('layer torch', 2, "there is no layer type 'torch'; `layerexplain layer` lists all types"),
    ('layer Dense --units 3', 2, "no option '--units'; write an argument of the layer without dashes: units=…"),
    ('layer Dense 3 --input query=5', 2, '--input: Dense takes x, in this order; for 1 input name x, or give no names'),
    ('layer MultiHeadAttention 2 3 --input query=5,6 --input key=7,6', 2, '--input: MultiHeadAttention takes query, value, key, attention_mask, in this order; for 2 inputs name query and value, or give no names'),
    ('layer Conv2D 3 3 --format json', 2, 'Conv2D needs the shape of its input; add for example --input 28x28x3'),
    ('layer Dense(3', 2, "'Dense(3' is not Python at column 6; check quotes and brackets: Dense(10)"),
    ('layer Dense 3 units=4 --input 5', 2, "argument 'units' is given twice; give it once"),
    ('layer Bidirectional --input 5,3', 2, "Bidirectional needs 'layer': a layer; give layer={Dense: 10}"),
    ('layer Dense(3,nothing=5) --input 3', 2, "Dense has no argument 'nothing'; it takes units, activation, use_bias, lora_rank, lora_alpha, quantization_config, dtype"),
    ('layer Adam 0.1 --format json', 2, 'Adam needs the shape of its input; add for example --input 784x10'),
    ('layer Dense units={a:', 2, "units={a:: '}' is missing at the end"),
    ('layer Dense units=[3,{]', 2, "units=[3,{]: a name is missing before ']'"),
    ('layer Dense units=[3;4', 2, "units=[3;4: ']' is missing at the end"),
    ('layer nn.LazyLinear 5', 2, 'LazyLinear takes a size from its first input; give the shape of that with --input'),
    ('layer InputLayer --input 3', 2, 'InputLayer computes nothing: it stands for an input, whose shape --input gives'),
    ('layer RNN --input 3,4', 2, "RNN needs 'cell': a cell, or a list of cells; give cell={LSTMCell: 10}"),
    ('layer StackedRNNCells --input 3', 2, "StackedRNNCells needs 'cells': a list of layers; give cells=[{Dense: 10}]"),
    ('layer Functional --input 3', 2, 'Functional is a model, whose layers do the computing: `layerexplain explain FILE` explains one'),
    ('layer TFSMLayer --input 3', 2, 'TFSMLayer has no formula: it runs a SavedModel outside the file, which is not opened'),
    ('layer StringLookup --input 3', 2, 'StringLookup has no formula: its input is words, not numbers'),
    ('summary nowhere.yaml --list', 1, 'nowhere.yaml: no such file'),
    ('summary m.yaml?', 1, 'm.yaml?: matches no file'),
    ('summary -r nowhere', 1, 'nowhere: no such file'),
    ('summary bad.json', 1, 'bad.json: the text is not valid JSON at line 2, column 1: expecting property name enclosed in double quotes'),
    ('summary m.yaml --set a=3', 1, 'm.yaml: is not Python code, whose names --set could give values to'),
    ('summary m.yaml --nothing', 2, "No such option '--nothing'. Did you mean '--training'?"),
    ('summary m.yaml --timeout 0', 2, "Invalid value for '--timeout': 0.0 is not in the range x>=0.01."),
    ('summary m.yaml --retries 21', 2, "Invalid value for '--retries': 21 is not in the range 0<=x<=20."),
    ('summary m.yaml --jobs 257', 2, "Invalid value for '-j' / '--jobs': 257 is not in the range 1<=x<=256."),
    ('summary m.yaml --width 19', 2, "Invalid value for '--width': 19 is not in the range 20<=x<=10000."),
    ('explain m.yaml first second --vs first', 2, '--vs compares two layers: MODEL LAYER --vs [MODEL] LAYER'),
    ('explain m.yaml first --vs m.yaml second first', 2, '--vs compares two layers: MODEL LAYER --vs [MODEL] LAYER'),
    ('explain m.yaml first --columns layer --format json', 2, '--columns cannot be used with json, which always has every field'),
    ('trace m.yaml first --at W:0,1', 2, "--at with a tensor's name needs --gradient"),
    ('trace m.yaml --step', 2, '--step needs --gradient'),
    ('trace m.yaml --inference', 2, '--inference needs --gradient'),
    ('trace m.yaml first second --at 0,1', 2, '--at needs one LAYER: layerexplain trace SOURCE LAYER --at 0,3,4,7'),
    ('trace m.yaml first --at 0', 1, "m.yaml: layer 'first': returns (1, 5): --at needs 2 numbers, got 1: '0'; write for example --at 0,4"),
    ('trace m.yaml first --at 0,1 --result 1', 1, "m.yaml: layer 'first': needs --result below 1, the number of its outputs, got --result 1"),
    ('trace m.yaml first --at 0,1 --call 1', 1, "m.yaml: layer 'first': needs --call below 1, the number of its calls, got --call 1"),
    ('trace m.yaml --size 3', 1, 'm.yaml: --input input: the input needs sizes that fit (7,), got (3,)'),
    ('trace m.yaml --batch 0', 2, "Invalid value for '--batch': 0 is not in the range 1<=x<=100000."),
    ('trace m.yaml --terms 0', 2, "Invalid value for '--terms': 0 is not in the range x>=1."),
    ('trace m.yaml nothing', 1, "m.yaml: no layer matches 'nothing'; the model has input, first, second"),
    ('verify m.yaml --tolerance 0', 2, "Invalid value for '--tolerance': 0.0 is not a fraction; give a number between 0 and 1"),
    ('verify m.yaml --tolerance 1', 2, "Invalid value for '--tolerance': 1.0 is not a fraction; give a number between 0 and 1"),
    ('verify m.yaml --optimizer adam', 2, '--optimizer needs --gradient'),
    ('check m.yaml --fail-on never,wrong', 2, "Invalid value for '--fail-on': never stands alone, got 'never,wrong'"),
    ('check m.yaml --fail-on worse', 2, "Invalid value for '--fail-on': no level 'worse'; there are breaks, wrong, wasteful, hint, certain, likely, and never"),
    ('check m.yaml --ignore xyz', 2, "Invalid value for '--ignore': no rule 'xyz'; check --list has all rules"),
    ('check m.yaml --max =5', 1, "m.yaml: no budget ''; there are params, macs, flops, weights, activations, memory"),
    ('check m.yaml --max memory=5XB', 2, "Invalid value for '--max': 'memory=5XB'; a budget is NAME=NUMBER, like memory=50MB"),
    ('check m.yaml --seed -1', 2, "Invalid value for '--seed': -1 is not in the range 0<=x<=4294967295."),
    ('convert m.yaml m.yaml --force --to yaml', 1, 'm.yaml: is read itself, and would be replaced; give another name'),
    ('convert m.yaml - --to keras', 1, 'a .keras file is not text; name a file'),
    ('draw m.yaml -o a', 1, 'a: its extension needs to be svg, png, pdf, dot, mmd; or give the format with --format'),
    ('draw m.yaml --depth -1', 2, "Invalid value for '--depth': -1 is not in the range x>=0."),
    ('page m.yaml --precision double', 2, "Invalid value for '--precision': 'double' is not one of 'half', 'f32', 'none'."),
    ('page m.yaml --overlay nowhere.json', 2, "Invalid value for '--overlay': nowhere.json cannot be read as JSON: [Errno 2] No such file or directory: 'nowhere.json'"),
    ('page m.yaml --overlay three.json --vs m.yaml', 2, "Invalid value for '--overlay': three.json needs an object from layer names to numbers, got 3"),
    ('page m.yaml --vs nowhere.yaml', 1, 'nowhere.yaml: no such file'),
    ('page m.yaml --max-values 5XB --input random', 2, "Invalid value for '--max-values': '5XB' is not a size; write megabytes (8), or a number with its unit: 500kB, 8MB"),
    ('nothing', 2, "no command 'nothing'; the commands are summary, explain, layer, check, diff, page, draw, convert, catalogue, view, weights, trace, verify, lsp, completion"),
    ('--nothing', 2, "No such option '--nothing'."),
    ('sumary', 2, "no command 'sumary'; did you mean 'summary'?"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_wrong_usage_raises_one_line_that_says_what_is_needed(
    line: str, code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(program, line.split(), prog_name="layerexplain")
    said = done.stderr.splitlines()[-1]
    assert (done.exit_code, said) == (
        code,
        f"{'Error: ' if said.startswith('Error') else 'layerexplain: error: '}{words}",
    )
    assert said.startswith("Error: ") or len(done.stderr.splitlines()) == 1
    assert done.stdout == "" and sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_the_program_alone_prints_its_help_in_lines() -> None:
    result = CliRunner().invoke(program, [])
    help_ = CliRunner().invoke(program, ["--help"]).output
    assert result.output == help_ and help_.count("\n") > 20
