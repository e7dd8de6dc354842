"""Layers that join tensors: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.expr import Expr
from layerexplain.layers.arguments import AxisArgument, Bool, Int
from layerexplain.layers.registry import layer
from layerexplain.ops.contract import einsum
from layerexplain.ops.elementwise import logical_or, maximum, minimum, where
from layerexplain.ops.arrange import full_like
from layerexplain.ops.functions import l2_normalize
from layerexplain.ops.movement import concatenate as joined
from layerexplain.ops.movement import take_slice
from layerexplain.ops.op_names import reduce_any
