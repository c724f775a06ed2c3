"""Larq Compute Engine: the same network converted for deployment, on its own interpreter.

Its converter packs binary convolutions; binary dense layers it computes in float32.
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import importlib.metadata

import larq_compute_engine as lce
import numpy as np
import step
import tensorflow as tf
from larq_bop import Larq, binarynet
from larq_compute_engine.tflite.python.interpreter import Interpreter


class Converted(Larq):
    jobs = ("infer",)

    def __init__(self, filters, dense_units, batch_size, threads):
        super().__init__(filters, dense_units, batch_size, threads)
        self.threads = threads
        self.versions["Larq Compute Engine"] = importlib.metadata.version("larq-compute-engine")

    def infer(self):
        return self.interpreter.predict(self.numbers)

    def kernels(self):
        """Those of the trained network; it is converted with them, for floats in [-1, 1]."""
        kernels = super().kernels()
        net = binarynet(kernels, quantizer="ste_sign", images=tf.float32)
        for ours, theirs in zip(normalisations(self.net), normalisations(net), strict=True):
            theirs.set_weights(ours.get_weights())
        self.interpreter = Interpreter(lce.convert_keras_model(net), num_threads=self.threads)
        self.numbers = (2 * self.x.numpy().astype(np.float32) - 255) / np.float32(255)
        return kernels


def normalisations(net):
    return [x for x in net.layers if isinstance(x, tf.keras.layers.BatchNormalization)]


if __name__ == "__main__":
    step.main(Converted)
