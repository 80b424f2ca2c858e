"""Run an exported file with TensorFlow alone, ONNX Runtime alone, or the LiteRT interpreter alone.

python verify_alone.py savedmodel|onnx|litert FILE ASKED.npz ANSWERS.npz

ASKED holds ``serve/0/support_x`` and so on, ANSWERS gets ``serve/0/probabilities`` and so on. This
is also how a program of your own uses such a file.
"""

import sys

import numpy as np

NOT_NEEDED = ("chapters", "datasets", "zoo", "keras")


def savedmodel(path):
    """Endpoint and inputs -> outputs, with TensorFlow."""
    import tensorflow as tf

    signatures = tf.saved_model.load(path).signatures

    def call(endpoint, inputs):
        outputs = signatures[endpoint](**{name: tf.constant(x) for name, x in inputs.items()})
        return {name: x.numpy() for name, x in outputs.items()}

    return call


def onnx(path):
    """The same with ONNX Runtime; a file has one endpoint."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda endpoint, inputs: dict(zip(names, session.run(names, inputs), strict=True))


def litert(path):
    """The same with the LiteRT interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    return lambda endpoint, inputs: interpreter.get_signature_runner(endpoint)(**inputs)


def main(format, path, asked, answers):
    """Answer every question."""
    for name in NOT_NEEDED + (() if format == "savedmodel" else ("tensorflow",)):
        sys.modules[name] = None  # importing it is an error from here on
    call = {"savedmodel": savedmodel, "onnx": onnx, "litert": litert}[format](path)
    questions = {}
    with np.load(asked, allow_pickle=False) as file:
        for key in file:
            name, _, argument = key.rpartition("/")
            questions.setdefault(name, {})[argument] = file[key]
    found = {}
    for name, inputs in questions.items():
        for output, value in call(name.partition("/")[0], inputs).items():
            found[f"{name}/{output}"] = value
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
