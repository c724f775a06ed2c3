"""An ONNX graph in the making: nodes, constants and their names."""

import numpy as np


class Graph:
    """Operators in the order they run; what adds one returns the name of its output."""

    def __init__(self):
        from onnx import helper, numpy_helper

        self.helper, self._tensor = helper, numpy_helper.from_array
        self.nodes, self.constants = [], {}

    def node(self, kind, inputs, name, **attributes):
        """An operator with one output, called ``name`` as it is itself; asked twice, it is one."""
        if all(one.name != name for one in self.nodes):
            self.nodes.append(self.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name, array):
        """An array; what is asked for twice is kept once."""
        if name not in self.constants:
            self.constants[name] = self._tensor(np.asarray(array), name)
        return name

    def number(self, value, dtype=np.float32):
        """A single number, named after itself."""
        return self.constant(f"{np.dtype(dtype).name}/{value}", dtype(value))

    def cast(self, x, dtype, name):
        return self.node("Cast", [x], name, to=self._type(dtype))

    def signs(self, name, array, dtype):
        """An array of ±1, which other operators see as numbers of ``dtype``."""
        bits = np.packbits(array.ravel() < 0)[:, None]  # the first is a byte's highest
        places = self.constant("places", np.arange(8, dtype=np.uint8))
        x = self.constant(f"{name}/bytes", bits)
        # Opset 18 has BitwiseAnd. Before: what is above a bit is pushed out, then what is below.
        x = self.node("BitShift", [x, places], f"{name}/above", direction="LEFT")
        x = self.node("BitShift", [x, self.number(7, np.uint8)], f"{name}/bits", direction="RIGHT")
        if array.size % 8:
            x = self.reshape(x, (-1,), f"{name}/row")
            ends = [self.constant(f"ends/{n}", np.int64([n])) for n in (0, array.size)]
            x = self.node("Slice", [x, *ends], f"{name}/cut")
        x = self.reshape(x, array.shape, f"{name}/shaped")
        x = self.cast(x, dtype, f"{name}/numbers")
        x = self.node("Mul", [x, self.number(-2, dtype)], f"{name}/doubled")
        return self.node("Add", [x, self.number(1, dtype)], name)  # bit 1 means -1

    def reshape(self, x, shape, name):
        text = "x".join(map(str, shape))
        return self.node("Reshape", [x, self.constant(f"shape/{text}", np.int64(shape))], name)

    def proto(self, name, given, output):
        """The GraphProto; ``given`` and ``output`` are (name, dtype, shape without the batch)."""
        given, output = (
            [self.helper.make_tensor_value_info(which, self._type(dtype), ["batch", *shape])]
            for which, dtype, shape in (given, output)
        )
        constants = list(self.constants.values())
        return self.helper.make_graph(self.nodes, name, given, output, initializer=constants)

    def _type(self, dtype):
        return self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
