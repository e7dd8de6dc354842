"""Embedding tables that are quantized or have LoRA, looked up by id or, turned round, by what they hold.

The order of the weights is Keras's: the trained ones first.
"""

from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.dtype_policies import Lora, Policy, Quantizer
from layerexplain.layers.quantization import blocks, factors, in_whole_numbers, need_mode, scaled
from layerexplain.ops.contract import dot
from layerexplain.ops.lookup import gather, take
from layerexplain.ops.movement import take_slice, transpose
from layerexplain.ops.quantization import dequantize, unpack_int4


class Table:
    """The table of an Embedding, `ids` rows of `width` numbers, with the weights that the policy makes of it.

    `tied` is None for an Embedding; else whether the table serves for the way back, or a second one does.
    """

    def __init__(
        self,
        type_: str,
        ids: int,
        width: int,
        low_rank: Lora | None,
        policy: Policy | None,
        config: Quantizer | str | None,
        tied: bool | None = None,
    ) -> None:
        need_mode(type_, policy, "int8", "int4")
        self.low_rank = low_rank
        self.mode = policy.mode if policy is not None else ""
        self.block = policy.block if policy is not None else 0
        self.width = width
        self.tied = tied is not False
        # The way back quantizes its input unless the configuration says otherwise.
        self.how = config if isinstance(config, Quantizer) else Quantizer() if config is None else None
        rows, columns = ("ids", ids), ("features", width)
        if not self.mode:
            self.E = weight("embeddings", "E", [rows, columns], trainable=low_rank is None)
        self.R = weight("reverse_embeddings", "R", [columns, rows]) if not self.tied and not self.mode else None
        self.A, self.B = factors([rows, columns], low_rank, "embeddings")
        if self.mode:
            self._quantized(rows, columns)

    def _quantized(self, rows: tuple[str, int], columns: tuple[str, int]) -> None:
        packed = ("bytes", -(-self.width // 2)) if self.mode == "int4" else columns
        self.E = weight("embeddings", "E", [rows, packed], dtype="int8", trainable=False)
        if self.block:
            self.S, self.Z, self.k = blocks("embeddings", columns, rows, self.block, first=False)
        else:
            self.S = weight("embeddings_scale", "S", [rows], positive=True, trainable=False)
        if self.tied:
            return
        self.R = weight("reverse_embeddings", "R", [packed, rows], dtype="int8", trainable=False)
        groups = [("blocks", -(-self.width // self.block)), rows] if self.block else [rows]
        self.RS = weight("reverse_embeddings_scale", "S_R", groups, positive=True, trainable=False)
        if self.block:
            self.RZ = weight("reverse_embeddings_zero", "Z_R", groups, trainable=False)

    @property
    def weights(self) -> tuple[Expr, ...]:
        """All weights of the table, whichever way it is used."""
        return tuple(v for v in vars(self).values() if isinstance(v, Expr))

    def look_up(self, ids: Expr) -> Expr:
        """The row of each id."""
        if not self.mode:
            table = self.E
            if self.low_rank is not None:
                table = named("E_lora", self.E + scaled(dot(self.A, self.B), self.low_rank), "E plus LoRA's update")
            return take(table, ids)
        whole = take(self.E, ids)
        if self.mode == "int4":
            whole = named("K", unpack_int4(whole, n=self.width), "two values from each byte")
        scale = take(self.S, ids)
        if self.block:
            scale, zero = (gather(v, self.k, axis=-1) for v in (scale, take(self.Z, ids)))
            y = dequantize(whole, scale, zero)
        else:
            y = whole / take_slice(scale, key=(Ellipsis, None))
        if self.low_rank is not None:
            y = y + scaled(dot(take(self.A, ids), self.B), self.low_rank)
        return y

    def score(self, x: Expr) -> Expr:
        """How well x fits each id: its product with every row."""
        if not self.mode:
            table = self.E
            if self.low_rank is not None:
                table = named("E_lora", self.E + scaled(dot(self.A, self.B), self.low_rank), "E plus LoRA's update")
            return dot(x, transpose(table, axes=(1, 0)) if self.R is None else self.R)
        kernel = transpose(self.E, axes=(1, 0)) if self.R is None else self.R
        if self.mode == "int4":
            kernel = named("K", unpack_int4(kernel, n=self.width, axis=0), "two values from each byte")
        if self.block:
            turned = [transpose(v, axes=(1, 0)) for v in (self.S, self.Z)] if self.R is None else [self.RS, self.RZ]
            scale, zero = (take(v, self.k) for v in turned)
            kernel = named("F", dequantize(kernel, scale, zero), "the dequantized values")
        q, s = (x, None) if self.how is None else in_whole_numbers(x, -1, self.how)
        y = dot(q, kernel)
        if not self.block:
            scale = self.S if self.R is None else self.RS
            return y / (scale if s is None else s * scale)
        return y if s is None else y / s
