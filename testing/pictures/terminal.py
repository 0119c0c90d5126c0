"""Text with the colours of a terminal, as an SVG: standard input to standard output."""

import re
import sys
import unicodedata
from xml.sax.saxutils import escape

CLASSES = {"1": "b", "2": "f", "31": "r", "32": "g", "33": "y", "36": "c"}
STYLE = """
text{font:13px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#24292f;white-space:pre}
.page{fill:#fdfdfc}.b{font-weight:700}.f{fill:#6e7781}.r{fill:#b3261e}.g{fill:#1a7f4b}
.y{fill:#8a6100}.c{fill:#0b5a8a}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.page{fill:#0d1117}.f{fill:#8b949e}.r{fill:#ff7b72}.g{fill:#7ee787}
.y{fill:#e3b341}.c{fill:#79c0ff}}
"""
CHARACTER, LINE, MARGIN = 7.83, 18, 20


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


lines = sys.stdin.read().rstrip("\n").split("\n")
codes = []
out = []
widest = 0
for number, line in enumerate(lines):
    column = 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        found = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if found:
            new = [code for code in found[1].split(";") if code not in ("", "0")]
            codes = codes + new if new else []
            continue
        text = part.strip(" ")
        if text:
            start = column + len(part) - len(part.lstrip(" "))
            x, y = MARGIN + start * CHARACTER, MARGIN + 14 + number * LINE
            classes = " ".join(CLASSES[code] for code in codes if code in CLASSES)
            width = columns(text) * CHARACTER
            attribute = f' class="{classes}"' if classes else ""
            out.append(
                f'<text{attribute} x="{x:.1f}" y="{y}" textLength="{width:.1f}">{escape(text)}</text>'
            )
        column += columns(part)
    widest = max(widest, column)
width, height = round(2 * MARGIN + widest * CHARACTER), 2 * MARGIN + len(lines) * LINE
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">')
print(f"<style>{STYLE}</style>")
print(f'<rect class="page" width="{width}" height="{height}"/>')
print("\n".join(out))
print("</svg>")
