"""Configuration of the documentation site (`make docs`): Sphinx with MyST, because most pages are Markdown.

Sphinx rather than MkDocs: it makes the reference from numpydoc docstrings, checks every internal link, and
runs the tutorials. The pages of docs/ are used where they are; what is made from the code (reference,
commands, tables) is written to `_generated` before each build.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("PYNEST_QUIET", "1")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate
from sphinx.util import logging

from ethospike import __version__

project, author, copyright = "ethospike", "the ethospike developers", "the ethospike developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
html_theme = "furo"
html_title = f"ethospike {release}"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = html_show_sourcelink = False  # the texts are in the repository
exclude_patterns = ["_build", "**/README.rst", "**/GALLERY_HEADER.rst"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
default_role = "code"
smartquotes = False  # what is quoted is often typed
add_module_names = False
nitpicky = False
# Types such as `animals` in a shape are no names; Sphinx finds several attributes of that name.
suppress_warnings = ["config.cache", "myst.header", "ref.python"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_mock_imports = generate.absent_packages()
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Returned by", "params_style")]
sphinx_gallery_conf = {
    "examples_dirs": [str(HERE / "tutorials")],
    "gallery_dirs": ["_generated/tutorials"],
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # its table loads scripts from elsewhere
    "min_reported_time": 1,
    "abort_on_example_error": True,
    "plot_gallery": os.environ.get("ETHOSPIKE_DOCS_RUN", "1") == "1",
}


def show_tables(app, what, name, obj, options, lines):
    """Show tables of docstrings, which are laid out for terminals, as they are."""
    shown, inside = [], False
    for line in lines:
        is_row = line.lstrip().startswith("|")
        if is_row and not inside:
            indent = " " * (len(line) - len(line.lstrip()))
            shown += ["", f"{indent}.. code-block:: text", ""]
        if inside and not is_row:
            shown.append("")
        shown.append("    " + line if is_row else line)
        inside = is_row
    lines[:] = shown


def keep_colons(app, what, name, obj, options, lines):
    """Keep the first sentence of a constant whole."""
    if what in ("attribute", "data", "property"):
        lines[:] = generate.without_type(lines)


def show_own_branch(app, page, template, context, doctree):
    """Show the branch of a page in its sidebar: with all pages it would weigh 65 kB in each of 800."""
    if (whole := context.get("toctree")) is not None:
        context["toctree"] = lambda **options: whole(**{**options, "collapse": True})


def check_names(app, env):
    """Warn of public names that the reference lacks; warnings are errors of the build."""
    for name in generate.missing_names(env.domaindata["py"]["objects"]):
        logging.getLogger(__name__).warning("the reference lacks %s", name)


def setup(app):
    """Write the generated pages before Sphinx looks for sources."""
    app.connect("autodoc-process-docstring", keep_colons, priority=300)
    app.connect("autodoc-process-docstring", show_tables, priority=400)
    app.connect("html-page-context", show_own_branch, priority=400)  # before the theme makes its tree
    app.connect("env-check-consistency", check_names)
    generate.write_all(HERE / "_generated")
