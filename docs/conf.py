"""How Sphinx makes the site from these pages and from the docstrings: `make site`."""

import importlib
import pkgutil
import sys
from pathlib import Path

import spadam

sys.path.insert(0, str(Path(__file__).parent))  # `make`: what this site adds to Sphinx

# autodoc writes into the annotations of classes that it documents; models that inherit from them must exist before.
for module in pkgutil.walk_packages(spadam.__path__, "spadam."):
    importlib.import_module(module.name)

project = "spadam"
author = project_copyright = "The spadam authors"
version = release = spadam.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "make.docstrings", "make.mathml"]
exclude_patterns = ["make", "schema"]
default_role = "code"  # docstrings write `name` as Markdown does

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_default_options = {"exclude-members": "model_config"}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "furo"
html_title = f"spadam {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
