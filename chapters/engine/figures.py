"""Pictures that every chapter draws: one look, one meaning of a colour, and the learning curve.

Green is right and red is wrong, and nothing else is green or red. What is not known, and what a
method is compared with, is grey. A method has one colour in all chapters.
"""

import functools

import matplotlib

matplotlib.use("Agg")  # files only: no display is needed

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import font_manager, ticker  # noqa: E402

RIGHT, WRONG, NEUTRAL = "tab:green", "tab:red", "0.4"
SERIES = ("tab:blue", "tab:orange", "tab:purple", "tab:brown", "tab:cyan", "tab:pink", "tab:olive")
TRAINING, HELD_OUT = {"color": "0.6"}, {"color": "0.1"}  # curves of a training
METHODS = {
    "MAML": "tab:blue",
    "FOMAML": "tab:cyan",
    "ANIL": "deepskyblue",
    "ADML": "tab:orange",
    "CAML": "tab:pink",
    "Meta-SGD": "tab:purple",
    "first-order Meta-SGD": "plum",
    "Reptile": "tab:brown",
    "GA-MAML": "goldenrod",
    "GA-FOMAML": "darkkhaki",
    "GA-Reptile": "tan",
    "siamese network": "slateblue",
    "MANN": "steelblue",
    "LSTM": "chocolate",
    "feed-forward network": "tab:olive",
    "LSTM optimizer": "navy",
    "RNNprop": "darkviolet",
    "meta-LSTM": "royalblue",
    "TAML": "orchid",
    "meta-imitation": "mediumpurple",
    "LSTM policy": "peru",
    "prototypical network": "sienna",
}
BASELINES = {
    "joint training": ("0.35", "--"),
    "trained on all tasks": ("0.35", "--"),
    "knows the goal": ("0.4", ":"),
    "random weights": ("0.55", "-."),
    "random start": ("0.55", "-."),
    "Thompson sampling": ("0.3", "-"),
    "pulls at random": ("0.6", ":"),
    "prediction 0": ("0.55", ":"),
    "told how it ends": ("0.35", "-"),
    "without a demonstration": ("0.55", "-"),
    "before training": ("0.35", "--"),
    "raw pixels": ("0.55", "-."),
    "features": ("0.75", "-"),
    "logistic regression": ("0.35", "--"),
    "length of the clip": ("0.55", "-."),
    "SGD": ("0.75", "-"),
    "momentum": ("0.6", ":"),
    "NAG": ("0.6", "-."),
    "RMSprop": ("0.75", "--"),
    "Adam": ("0.3", "--"),
}

# A page shows a picture of WIDTH inches as it is and a wider one smaller, with its letters.
WIDTH, SMALL = 8.5, 8  # inches; points of the smallest letters
FEW = 4  # a curve through fewer points says less than their values
# The first font has most alphabets; the others are those that systems bring for what it lacks.
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "IPAexGothic",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Nirmala UI",
    "Leelawadee UI",
    "Arial Unicode MS",
    "Noto Emoji",
    "Segoe UI Symbol",
)


def _installed() -> list[str]:
    """Those of FONTS that this machine has; matplotlib complains about the others."""
    names = set(font_manager.get_font_names())
    return [name for name in FONTS if name in names]


plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.prop_cycle": plt.cycler(color=SERIES),
        "axes.titlesize": 10,
        "figure.titlesize": 11,
        "font.family": _installed(),
        "font.size": 10,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "text.parse_math": False,  # a dollar in the name of a file is a dollar
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
    }
)


def style(method: str) -> dict[str, str]:
    """Colour and line of a method, or of what it is compared with, by its name in tables."""
    name = method.partition(",")[0]  # without what follows, such as the share of outlier tasks
    if name in BASELINES:
        return dict(zip(("color", "linestyle"), BASELINES[name], strict=True))
    return {"color": METHODS.get(name, HELD_OUT["color"]), "linestyle": "-"}


def label(name: str, longest: int = 24) -> str:
    """A name as a picture can show it.

    A letter that no installed font has becomes its code point, such as ``\\u65e5``; a name of more
    than ``longest`` letters loses its middle.
    """
    letters = _letters()
    shown = "".join(
        letter if letter.isprintable() and ord(letter) in letters else ascii(letter)[1:-1]
        for letter in str(name)
    )
    if len(shown) <= longest:
        return shown
    end = (longest - 1) // 2
    return f"{shown[: longest - 1 - end]}…{shown[-end:]}"


@functools.cache
def _letters() -> frozenset[int]:
    """Code points that the fonts in use can draw."""
    fonts = map(font_manager.findfont, plt.rcParams["font.family"])
    return frozenset().union(*(font_manager.get_font(font).get_charmap() for font in fonts))


def learning_curve(
    history,
    left: str = "loss",
    right: str = "accuracy",
    training: str = "training",
    held_out: str = "validation, unseen classes",
):
    """Training and validation curves against steps: ``left`` and ``right`` panels.

    Args:
        history: rows of the loop, with ``step``, metrics and ``val_`` metrics.
        left, right: names of two metrics.
        training, held_out: what the curves were measured on, such as ``training, 5-way 1-shot``.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
    for axis, name in zip(axes, (left, right), strict=True):
        if name in history[0]:
            course(axis, history, name, training, **TRAINING)
        if f"val_{name}" in history[0]:
            course(axis, history, f"val_{name}", held_out, above=False, **HELD_OUT)
        axis.set_ylabel(name)
    legend(figure)
    return figure


def course(axis, history, metric: str, name: str, above: bool = True, **line) -> None:
    """A metric of the log against the step; a few values are written beside their points.

    Args:
        axis: where to draw.
        history: rows of the loop. Training metrics are means since the row before.
        metric: key of a row.
        name: for the legend.
        above: where values are written.
        line: colour and the like.
    """
    steps, values = ([row[key] for row in history] for key in ("step", metric))
    few = len(steps) < FEW
    shape = {"marker": "o", "linestyle": "none"} if few else {"marker": "."}
    axis.plot(steps, values, label=name, **shape, **line)
    if few:
        write_values(axis, steps, values, above, **line)
    axis.set_xlabel("step")
    whole_numbers(axis)


def write_values(axis, x, y, above: bool = True, **text) -> None:
    """The y values of points, above or below them."""
    offset, side = (6, "bottom") if above else (-6, "top")
    for place in zip(x, y, strict=True):
        axis.annotate(f"{place[1]:.3g}", place, (0, offset), textcoords="offset points",
                      ha="center", va=side, fontsize=SMALL, **text)  # fmt: skip
    axis.margins(0.2, 0.3)  # room for the words


def legend(figure, columns: int = 2) -> None:
    """The legend above the picture, where it hides nothing; every name once.

    Args:
        figure: picture whose axes have named lines.
        columns: as many, or fewer where the names are too long for the width of the picture.
    """
    handles = {}
    for axis in figure.axes:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    for count in range(columns, 0, -1):
        box = figure.legend(handles.values(), handles, loc="outside upper left", ncols=count)
        if count == 1 or box.get_window_extent().width <= figure.bbox.width:
            break
        box.remove()


def whole_numbers(axis) -> None:
    """Ticks for what is counted: there is no step 0.2."""
    axis.xaxis.set_major_locator(ticker.MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))


def log_scale(axis, name: str = "y", subs=(1, 2, 5)) -> None:
    """A logarithmic axis whose ticks are plain numbers: 0.2 instead of 2 x 10^-1.

    Args:
        axis: of the picture.
        name: ``y`` or ``x``.
        subs: ticks of a power of ten; (1,) where there are many powers.
    """
    axis.set(**{f"{name}scale": "log"})
    scale = getattr(axis, f"{name}axis")
    scale.set_major_locator(ticker.LogLocator(subs=subs))
    scale.set_major_formatter(ticker.FormatStrFormatter("%g"))
    scale.set_minor_formatter(ticker.NullFormatter())
