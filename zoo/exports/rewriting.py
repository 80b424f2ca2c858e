"""A graph in the operators that other runtimes know.

ONNX and LiteRT have no operators for derivatives, and an exported learner takes derivatives while
it adapts. Each such operator of TensorFlow is written here in ordinary ones: a rule is a function
of the operator and its inputs. Everything else in the graph stays as it is, so learners need not
know of it, and all sizes may stay free.
"""

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph
from tensorflow.python.framework.tensor_util import constant_value_as_shape

from chapters.engine.per_task import image_windows

LEFT_OUT = ("Placeholder", "NoOp", "Assert")
TABLE = 1 << 14  # random numbers that a file holds: the order of an inner loop's minibatches


def rewrite(function, signature: list[tf.TensorSpec]):
    """A ``tf.function`` of the same inputs and named outputs, in ordinary operators.

    Args:
        function: of tensors, returning a dict of tensors; its variables become constants.
        signature: name, shape and dtype of each input.
    """
    traced = tf.function(function, autograph=False).get_concrete_function(*signature)
    names = sorted(traced.structured_outputs)  # TensorFlow flattens a dict in this order
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)

    def rewritten(*inputs):
        outputs = _replay(frozen.graph, frozen.inputs, frozen.outputs, inputs)
        return dict(zip(names, outputs, strict=True))

    return tf.function(rewritten, autograph=False, input_signature=signature)


def _replay(graph, inputs, outputs, values) -> list[tf.Tensor]:
    """Build ``graph`` again in the present one, from other inputs and by the rules."""
    made = {old.ref(): new for old, new in zip(inputs, values, strict=True)}
    target = tf.compat.v1.get_default_graph()
    for op in graph.get_operations():  # each after those that it depends on
        if op.type in LEFT_OUT:
            continue
        given = [made[x.ref()] for x in op.inputs]
        results = RULES.get(op.type, _declined)(op, *given)
        if results is NotImplemented:  # as it is
            types, attributes = [x.dtype for x in op.outputs], dict(op.node_def.attr)
            results = target.create_op(op.type, given, types, attrs=attributes).outputs
        for old, new in zip(op.outputs, _listed(results), strict=True):
            new.set_shape(old.shape)
            made[old.ref()] = new
    return [made[x.ref()] for x in outputs]


def _listed(results) -> list:
    return list(results) if isinstance(results, list | tuple) else [results]


def _declined(op, *inputs):
    return NotImplemented


# --- derivatives ----------------------------------------------------------------------------------


def _relu_grad(op, gradient, y):
    return gradient * tf.cast(y > 0, gradient.dtype)


def _tanh_grad(op, y, gradient):
    return gradient * (1 - y * y)


def _sigmoid_grad(op, y, gradient):
    return gradient * y * (1 - y)


def _rsqrt_grad(op, y, gradient):
    return -0.5 * gradient * y * y * y


def _cross_entropy(op, logits, labels):
    """Loss [item] and its derivative [item, way]."""
    target = _equal_to_range(labels, tf.shape(logits)[1], logits.dtype)  # [item, way]
    loss = -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1)
    return loss, tf.nn.softmax(logits) - target


def _convolution(op, x, kernel):
    """Convolution with a kernel that was computed, as a product of matrices: windows x kernel."""
    if tf.get_static_value(kernel) is not None:
        return NotImplemented  # the runtime's own is faster
    return _windows_times(x, kernel, *_geometry(op))


def _image_grad(op, sizes, kernel, gradient):
    """Derivative of a convolution in its image: a convolution with the kernel turned round."""
    strides, padding = _geometry(op)
    _, *lengths, _ = constant_value_as_shape(sizes)
    pads = [[0, 0]]
    sides = zip(lengths, kernel.shape[:2], strides, strict=True)
    for axis, (length, k, stride) in enumerate(sides, 1):
        count = gradient.shape[axis]
        gradient = _spread_out(gradient, axis, stride)
        reach = (count - 1) * stride + k
        before = k - 1 - (max(reach - length, 0) // 2 if padding == "SAME" else 0)
        pads.append([before, length + 2 * (k - 1) - before - reach])
    turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
    return _windows_times(tf.pad(gradient, [*pads, [0, 0]]), turned, [1, 1], "VALID")


def _kernel_grad(op, x, sizes, gradient):
    """Derivative of a convolution in its kernel, a product of matrices: windows x gradient."""
    *size, _, _ = constant_value_as_shape(sizes)
    rows = image_windows(x, size, *_geometry(op))  # [item, row, column, window]
    rows = tf.reshape(rows, [-1, rows.shape[-1]])  # [item * row * column, window]
    gradient = tf.reshape(gradient, [-1, gradient.shape[-1]])  # [item * row * column, filter]
    return tf.reshape(tf.matmul(rows, gradient, transpose_a=True), sizes)


def _geometry(op):
    """Strides along height and width, and padding."""
    return op.get_attr("strides")[1:3], op.get_attr("padding").decode()


def _windows_times(x, kernel, strides, padding):
    """Convolution [item, row, column, filter] of x [item, height, width, channel]."""
    *size, channels, filters = kernel.shape
    rows = image_windows(x, size, strides, padding)  # [item, row, column, window]
    y = tf.matmul(
        tf.reshape(rows, [-1, rows.shape[-1]]), tf.reshape(kernel, [-1, filters])
    )  # [item * row * column, filter]
    return tf.reshape(y, [-1, *rows.shape[1:-1], filters])


def _spread_out(x, axis, stride):
    """``stride - 1`` zeros between neighbours along an axis."""
    if stride == 1:
        return x
    shape = [-1, *x.shape[1:]]
    parts = tf.stack([x] + [tf.zeros_like(x)] * (stride - 1), axis=axis + 1)
    shape[axis] *= stride
    spread = tf.reshape(parts, shape)
    return tf.split(spread, [shape[axis] - stride + 1, stride - 1], axis)[0]


def _slice_grad(op, shape, begin, end, strides, gradient):
    """Zeros around the gradient, where the slice left something out."""
    if not _all_ones(strides):
        return NotImplemented
    entries = _entries(op, begin, rank=shape.shape[0])
    for axis, (kind, _) in enumerate(entries):
        gradient = tf.expand_dims(gradient, axis) if kind == "one" else gradient
    new = [axis for axis, (kind, _) in enumerate(entries) if kind == "new"]
    gradient = tf.squeeze(gradient, new) if new else gradient
    first = tf.stack([start for kind, start in entries if kind != "new"])
    first = tf.where(first < 0, first + shape, first)  # from the end
    return tf.pad(gradient, tf.stack([first, shape - first - tf.shape(gradient)], axis=1))


def _entries(op, begin, rank: int) -> list[tuple[str, tf.Tensor | int]]:
    """What a slice does with each axis, and where it begins: whole, part, one, or a new axis."""
    count = begin.shape[0]
    new, rest, one, from_start, to_end = (
        [op.get_attr(f"{mask}_mask") >> i & 1 for i in range(count)]
        for mask in ("new_axis", "ellipsis", "shrink_axis", "begin", "end")
    )
    unnamed = [("whole", 0)] * (rank - count + sum(new) + sum(rest))
    entries = []
    for i in range(count):
        if rest[i]:
            entries += unnamed
        elif new[i]:
            entries.append(("new", 0))
        else:
            kind = "one" if one[i] else "whole" if from_start[i] and to_end[i] else "part"
            entries.append((kind, 0 if from_start[i] and not one[i] else begin[i]))
    return entries if any(rest) else entries + unnamed


def _all_ones(x) -> bool:
    value = tf.get_static_value(x)
    return value is not None and bool((value == 1).all())


# --- shapes and positions -------------------------------------------------------------------------


def _broadcast_axes(op, *shapes):
    """Axes along which each of two shapes was repeated to meet the other.

    Two lengths that are both free are taken to be equal: what is repeated has length 1 by its
    construction. To sum over an axis that meets another 1 changes nothing.
    """
    shapes = [list(constant_value_as_shape(shape)) for shape in shapes]
    rank = max(map(len, shapes))
    padded = [[None] * (rank - len(shape)) + shape for shape in shapes]
    return [
        tf.constant(
            [i for i in range(rank) if i < rank - len(shape) or own[i] == 1 != other[i]],
            op.outputs[0].dtype,
        )
        for shape, own, other in zip(shapes, padded, reversed(padded), strict=True)
    ]


def _stitch(op, *inputs):
    """values[i] at the positions[i]; the last one counts where several meet."""
    half = len(inputs) // 2
    positions, values = (
        tf.concat([tf.reshape(x, [-1]) for x in part], 0) for part in (inputs[:half], inputs[half:])
    )
    meets = _equal_to_range(positions, op.outputs[0].shape[0], tf.int32)  # [value, out]
    order = tf.range(1, tf.shape(positions)[0] + 1)[:, None]  # [value, 1]
    last = tf.argmax(meets * order, axis=0, output_type=tf.int32)  # [out]
    return tf.gather(values, last)


def _shapes(op, *inputs):
    return [tf.shape(x) for x in inputs]


def _concat_offset(op, axis, *shapes):
    """Where each part of a concatenation begins."""
    along = tf.cast(tf.range(shapes[0].shape[0]) == axis, shapes[0].dtype)
    offsets, start = [], tf.zeros_like(shapes[0])
    for shape in shapes:
        offsets.append(start)
        start += shape * along
    return offsets


def _one_hot(op, labels, depth, on, off):
    hit = _equal_to_range(labels, depth, tf.bool)
    if on.dtype == tf.bool:  # true and false
        return hit
    return off + tf.cast(hit, on.dtype) * (on - off)


def _equal_to_range(x, count, dtype):
    """1 where x[..., i] is i: [...] -> [..., count]."""
    return tf.cast(x[..., None] == tf.range(count, dtype=x.dtype), dtype)


def _new_axes(op, x, begin, end, strides):
    """``x[:, None]`` as what it is; other slices are left alone."""
    kinds = [kind for kind, _ in _entries(op, begin, rank=len(x.shape))]
    if "new" not in kinds or set(kinds) - {"new", "whole"} or not _all_ones(strides):
        return NotImplemented
    for axis, kind in enumerate(kinds):
        x = tf.expand_dims(x, axis) if kind == "new" else x
    return x


def _roll(op, x, shift, axis):
    shift, axis = (int(tf.get_static_value(part)) for part in (shift, axis))
    first, second = tf.split(x, [x.shape[axis] - shift % x.shape[axis], -1], axis)
    return tf.concat([second, first], axis)


def _floor_div(op, x, y):
    """Rounded down below zero too, where ONNX rounds towards zero."""
    if not x.dtype.is_integer:
        return NotImplemented
    quotient = tf.raw_ops.Div(x=x, y=y)  # towards zero
    rest = x - quotient * y
    return quotient - tf.cast((rest != 0) & ((rest < 0) != (y < 0)), x.dtype)


def _random_bits(op, shape, *seed):
    """The first numbers of a stream that always starts alike, from a table."""
    with tf.compat.v1.Session(graph=op.graph) as session:
        seed = session.run(list(op.inputs[1:]))
    with tf.init_scope():  # now, not in the graph
        table = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[TABLE], key=seed[0], counter=seed[1], alg=seed[2], dtype=op.outputs[0].dtype
        ).numpy()
    return tf.reshape(tf.constant(table)[: tf.reduce_prod(shape)], shape)


# --- control flow ---------------------------------------------------------------------------------


def _while(op, *inputs):
    shapes = [x.shape for x in op.outputs]

    def part(name):
        definition = op.graph._get_function(op.get_attr(name).name).cached_definition
        graph = function_def_to_graph(definition, input_shapes=shapes)
        return lambda *values: _replay(graph, graph.inputs, graph.outputs, values)

    test, body = part("cond"), part("body")
    return tf.while_loop(lambda *values: test(*values)[0], body, inputs)


def _same(op, x):
    return tf.identity(x)


RULES = {
    "ReluGrad": _relu_grad,
    "TanhGrad": _tanh_grad,
    "SigmoidGrad": _sigmoid_grad,
    "RsqrtGrad": _rsqrt_grad,
    "SparseSoftmaxCrossEntropyWithLogits": _cross_entropy,
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _image_grad,
    "Conv2DBackpropFilter": _kernel_grad,
    "StridedSliceGrad": _slice_grad,
    "BroadcastGradientArgs": _broadcast_axes,
    "DynamicStitch": _stitch,
    "StridedSlice": _new_axes,
    "ShapeN": _shapes,
    "ConcatOffset": _concat_offset,
    "OneHot": _one_hot,
    "Roll": _roll,
    "FloorDiv": _floor_div,
    "StatelessRandomUniformFullIntV2": _random_bits,
    "StatelessWhile": _while,
    "While": _while,
    "EnsureShape": _same,
    "StopGradient": _same,
}
