"""Draws SVGs in a process of its own: what hangs, panics or talks in it does so there.

It reads a JSON list of SVGs and writes a line for each, its PNG in base 64. It ends at the first
that cannot be drawn.
"""

import base64
import json
import sys

import resvg_py


def main() -> None:
    """From standard input to standard output."""
    for svg in json.load(sys.stdin.buffer):
        png = resvg_py.svg_to_bytes(svg_string=svg, background="white", skip_system_fonts=True)
        print(base64.b64encode(png).decode(), flush=True)


if __name__ == "__main__":
    main()
