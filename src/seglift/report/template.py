"""The templates that pages are made of."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def get_template(name: str) -> Template:
    """A file of ``templates/``: text is escaped, and a name that is not given is an error, not an empty string."""
    environment = Environment(
        loader=PackageLoader("seglift.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
