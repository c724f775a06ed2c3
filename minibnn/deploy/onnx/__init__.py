"""A network as an ONNX model of standard operators, for onnxruntime and whatever else reads it.

``images``, uint8 [batch, height, width, channels], goes in and ``logits``, float32 [batch,
classes], comes out. A binary layer's sums of signs or bytes are integers below 2^24, exact in
float32 in whatever order a runtime adds. Batch normalisation and sign behind it are a comparison
with a number halfway between two integers. So every hidden sign equals that of the network here,
and only the last batch normalisation rounds: in the order this package rounds, subtract, multiply,
add. Operators are those of opset 13, from 2020 (ONNX 1.8).

What sums floats is written too (``Dense``, ``Conv2D``, average pooling, ``Residual``, binary layers
that are given floats), in the runtime's order: behind it equality ends and rounding begins.
"""

import json
from pathlib import Path

from minibnn._version import __version__
from minibnn.deploy.onnx.layers import translate
from minibnn.errors import InputError, import_extra, one_of
from minibnn.files.atomic import save
from minibnn.nn.network import IMAGE_FORMS, check_names

OPSET = 13
IR_VERSION = 7  # what came with this opset: readers refuse a newer one than they know


def model(network, classes=None):
    """The ONNX model of a ``network``, an onnx.ModelProto checked by onnx.checker.

    ``classes``, names of the outputs, by default the network's own, are kept in the model's
    metadata as a JSON list. The model makes what the network was trained on, its ``image_form``, of
    bytes; of "arrays", which bytes cannot tell, it takes these. A binary kernel is kept as bits;
    five operators turn them into ±1 once, when a runtime loads it. InputError names a layer that
    has no such form, and tells if onnx is not installed.
    """
    onnx = import_extra("onnx", "onnx", "writing ONNX needs the package onnx")
    image_form = one_of(network.image_form, "image_form", IMAGE_FORMS)
    metadata = {"network": network.name, "input": _input_text(network.input_shape, image_form)}
    classes = network.classes if classes is None else classes
    if classes is not None:
        metadata["classes"] = json.dumps(check_names(classes, network.output_shape))
    made = onnx.helper.make_model(
        translate(network, image_form),
        producer_name="minibnn",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        doc_string=f"{network.name}, a binarized network; {metadata['input']}.",
    )
    onnx.helper.set_model_props(made, metadata)
    onnx.checker.check_model(made, full_check=True)
    return made


def write(network, path, classes=None):
    """Write ``model``, of the same arguments, to a file: it is there as a whole, or not at all."""
    save(path, model(network, classes).SerializeToString(deterministic=True))


def describe(path):
    """What the ONNX file ``path`` says of itself, as a dict of texts; InputError if it is none."""
    onnx = import_extra("onnx", "onnx", "reading ONNX needs the package onnx")
    content = Path(path).read_bytes()
    try:
        found = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's, which is not ours to import
        raise InputError(f"{path} is no ONNX model, or a damaged one") from error
    if not found.graph.node:
        raise InputError(f"{path} is no ONNX model: it has no operators")
    opsets = [f"{one.domain or 'ai.onnx'} {one.version}" for one in found.opset_import]
    return {
        "producer": f"{found.producer_name} {found.producer_version}".strip(),
        "opset": ", ".join(opsets),
        "operators": f"{len(found.graph.node):,}",
        **{one.key: one.value for one in found.metadata_props},
    }


def _input_text(shape, image_form):
    axes = "height, width, channels" if len(shape) == 3 else "features"
    text = f"[batch, {axes}] = [batch, {', '.join(map(str, shape))}]"
    return f"float32 {text}" if image_form == "arrays" else f"uint8 {text}, a byte as it is"
