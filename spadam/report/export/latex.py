"""A table for LaTeX, with the rules of booktabs; plain ASCII, so that every engine reads it, pdflatex too."""

from __future__ import annotations

import re
import unicodedata

from spadam.report.export.noted import Noted, Number

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\`{}",
    **{letter: f"\\{letter}" for letter in "_%&#${}"},
    **{"–": "--", "—": "---", "…": r"\ldots{}", "’": "'", "‘": "`", "“": "``", "”": "''", "\u00a0": "~"},
    **{"±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$", "∞": r"$\infty$"},
    **{"→": r"$\rightarrow$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "√": r"$\surd$", "°": r"$^\circ$"},
    **{"ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}"},
    **{"ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "µ": r"$\mu$"},
}
_ACCENTS = dict(
    zip("\u0300\u0301\u0302\u0303\u0308\u0304\u0307\u0306\u030c\u030b\u030a\u0327", "`'^~\"=.uvHrc", strict=True)
)
"""What LaTeX puts on a letter, by Unicode's combining accent."""
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega"
)
_GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψω", _GREEK_NAMES.split(), strict=True))
_BREAK, _PLUS_MINUS = r" \\ ", r" \pm "
_NUMBER = re.compile(r"(-?[\d.]+)(?:e(-?\d+))?")


def latex(table: Noted, name: str) -> str:
    r"""The whole of table.tex: a floating table to be read with \input, its label `tab:<name>`.

    It is made smaller where it is wider than its column.
    """
    columns = "l" + "r" * (len(table.head) - 1)
    lines = [
        r"% \usepackage{booktabs,graphicx} in the preamble; written by spadam report",
        r"\begin{table}",
        r"  \centering",
        r"  \footnotesize",
        r"  \setlength{\tabcolsep}{4pt}",
        f"  \\caption{{{escape(table.title)}.}}",
        f"  \\label{{tab:{name}}}",
        f"  \\sbox0{{\\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"    \toprule",
        f"    {' & '.join(map(_heading, table.head))} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(map(_cell, row))} \\\\" for row in table.body),
        r"    \bottomrule",
        r"  \end{tabular}}%",
        r"  \ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
        r"  \par\smallskip",
        r"  \begin{minipage}{\linewidth}",
        r"    \raggedright\scriptsize",
        *(f"    {_raised(letter)}~{escape(said)}.\\quad" for letter, said in table.letters),
        *(f"    {escape(note)}" for note in table.notes),
        r"  \end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""``text`` as LaTeX sets it, in ASCII; a letter that it cannot set is shown by its number.

    >>> print(escape("lazy_adam: 5 % ± é 😀"))
    lazy\_adam: 5 \% $\pm$ \'{e} {[U+1F600]}
    """
    return "".join(map(_letter, unicodedata.normalize("NFC", " ".join(text.split()))))


def _letter(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter in _GREEK:
        return f"$\\{_GREEK[letter]}$"
    if letter.isascii():
        return letter
    parts = unicodedata.normalize("NFD", letter)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    plain = unicodedata.normalize("NFKC", letter)  # a raised or lowered digit, a ligature, a wide letter
    return plain if plain.isascii() else f"{{[U+{ord(letter):04X}]}}"


def _heading(text: str) -> str:
    """A heading in as many lines as it has parts, for columns are narrow."""
    parts = [escape(part) for part in re.split(": |, ", text)]
    return parts[0] if len(parts) == 1 else rf"\shortstack[r]{{{_BREAK.join(parts)}}}"


def _cell(cell: Number) -> str:
    parts = [_NUMBER.fullmatch(part) for part in cell.text.split(" ± ")]
    numbers = [_power(*part.groups()) for part in parts if part is not None]
    text = f"${_PLUS_MINUS.join(numbers)}$" if len(numbers) == len(parts) else escape(cell.text)
    return text + (_raised(cell.letter) if cell.letter else "")


def _power(mantissa: str, exponent: str | None) -> str:
    if exponent is None:
        return mantissa
    return f"10^{{{exponent}}}" if mantissa == "1" else f"{mantissa} \\times 10^{{{exponent}}}"


def _raised(letter: str) -> str:
    return f"\\,\\textsuperscript{{{letter}}}"
