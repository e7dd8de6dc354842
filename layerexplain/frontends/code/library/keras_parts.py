"""Keras in one program, in parts that each do one job."""

from __future__ import annotations

from layerexplain.frontends.code.library.keras_attributes import LayerAttributes
from layerexplain.frontends.code.library.keras_calling import Calling
from layerexplain.frontends.code.library.keras_cloning import Cloning
from layerexplain.frontends.code.library.keras_making import LayerFactory
from layerexplain.frontends.code.library.keras_operations import Operations
from layerexplain.frontends.code.library.keras_refused_calls import Refusals
from layerexplain.frontends.code.library.keras_refused_data import DataChecks
from layerexplain.frontends.code.library.keras_run_time_sizes import RunTimeSizes
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.recorder.nodes import ModelLibrary, Recorder
from layerexplain.frontends.code.recorder.own_calls import OwnCalls
from layerexplain.frontends.code.recorder.tracing import Graphs


class KerasParts:
    """The parts, each of which knows those before it alone."""

    def __init__(self, framework: ModelLibrary, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.recorder = Recorder(framework, interpreter)
        self.own_calls = OwnCalls(self.recorder)
        self.graphs = Graphs(self.own_calls)
        self.refusals = Refusals(self.recorder)
        self.data = DataChecks(self.graphs)
        self.factory = LayerFactory(self.data, self.refusals)
        self.calling = Calling(self.factory)
        self.sizes = RunTimeSizes(self.graphs)
        self.operations = Operations(self.sizes)
        self.attributes = LayerAttributes(self.calling, self.operations)
        self.cloning = Cloning(self.graphs)
